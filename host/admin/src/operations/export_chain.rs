use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::mpsc;
use toolhost_audit::export;

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Bytes of an export that are sent at once.
const CHUNK: usize = 64 << 10;

/// Sends the records of a chain and a last line with its head. The answer says how many records
/// were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportChain {
    /// [`HOST`](crate::HOST), or a tenant.
    pub chain: String,
    /// The first record.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl AdminOperation for ExportChain {
    type Answer = u64;

    async fn carry_out(self, admin: &Admin, context: OperationContext) -> Result<u64, AdminError> {
        let (chain, keys) = (admin.chain(&self.chain)?, Arc::clone(&admin.chain_keys));
        let root = Admin::audit_root(&admin.parts.data_dir);
        let exported = tokio::task::spawn_blocking(move || {
            let mut writer = io::BufWriter::with_capacity(CHUNK, ChannelWriter(context.lines));
            export(
                &root,
                &chain,
                keys.as_ref(),
                self.from,
                self.to,
                &mut writer,
            )
        });
        Ok(exported
            .await
            .map_err(|_| AdminError::internal("the export ended early"))??)
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
