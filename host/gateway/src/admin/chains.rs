use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::mpsc;
use toolhost_audit::{Chain, KnownHead, export, verify};

use super::{Admin, AdminError, AdminResponse, ChainReport, HOST};

/// Bytes of an export that are sent at once.
const CHUNK: usize = 64 << 10;

impl Admin {
    pub(super) async fn verify(
        &self,
        chain: Option<String>,
        head: Option<String>,
    ) -> Result<AdminResponse, AdminError> {
        let root = Self::audit_root(&self.parts.data_dir);
        let chains = match chain {
            Some(chain) => vec![self.chain(&chain)?],
            None => Chain::all(&root).map_err(|error| AdminError::internal(error.to_string()))?,
        };
        let heads = match (&head, chains.as_slice()) {
            (None, _) => vec![],
            (Some(line), [chain]) => {
                let refused = || {
                    AdminError::invalid(format!(
                        "this is not the last line of an export of the chain of {chain}"
                    ))
                };
                vec![KnownHead::parse(line, chain).ok_or_else(refused)?]
            }
            (Some(_), _) => return Err(AdminError::invalid("a known head belongs to one chain: name it")),
        };
        let keys = Arc::clone(&self.chain_keys);
        let reports = tokio::task::spawn_blocking(move || {
            chains
                .iter()
                .map(|chain| {
                    let report = verify(&root, chain, keys.as_ref(), &heads)?;
                    Ok(ChainReport::from_report(name(chain), &report))
                })
                .collect::<Result<Vec<_>, AdminError>>()
        });
        let reports = reports
            .await
            .map_err(|_| AdminError::internal("the verification ended early"))??;
        Ok(AdminResponse::Chains(reports))
    }

    pub(super) async fn export(
        &self,
        chain: &str,
        from: u64,
        to: u64,
        lines: mpsc::Sender<Vec<u8>>,
    ) -> Result<AdminResponse, AdminError> {
        let (chain, keys) = (self.chain(chain)?, Arc::clone(&self.chain_keys));
        let root = Self::audit_root(&self.parts.data_dir);
        let exported = tokio::task::spawn_blocking(move || {
            let mut writer = io::BufWriter::with_capacity(CHUNK, ChannelWriter(lines));
            export(&root, &chain, keys.as_ref(), from, to, &mut writer)
        });
        let written = exported
            .await
            .map_err(|_| AdminError::internal("the export ended early"))??;
        Ok(AdminResponse::Exported(written))
    }

    pub(super) fn chain(&self, name: &str) -> Result<Chain, AdminError> {
        match name {
            HOST => Ok(Chain::Host),
            tenant => Ok(Chain::Tenant(self.space(tenant)?.tenant().clone())),
        }
    }
}

fn name(chain: &Chain) -> String {
    match chain {
        Chain::Host => HOST.to_owned(),
        Chain::Tenant(tenant) => tenant.to_string(),
    }
}

/// Hands what is written on to the operator, and waits for a slow one.
struct ChannelWriter(mpsc::Sender<Vec<u8>>);

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .blocking_send(bytes.to_vec())
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
