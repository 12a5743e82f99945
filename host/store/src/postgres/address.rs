use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use toolhost_policy::Secret;
use url::Url;

use super::{PostgresError, PostgresSettings};

/// A server, as whom, and how it proves who it is.
#[derive(Clone)]
pub(super) struct Address {
    /// With the password; its `Debug` does not show it.
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(…)")
    }
}

impl Address {
    pub(super) fn from_url(
        url: &Secret,
        settings: &PostgresSettings,
    ) -> Result<Self, PostgresError> {
        let text = std::str::from_utf8(url.expose()).map_err(|_| bad("it is not UTF-8"))?;
        // Not the parser's own words: they may repeat what is in it.
        let mut url = Url::parse(text.trim()).map_err(|_| bad("it does not parse"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(bad("it begins with postgres://"));
        }
        let mode = take(&mut url, "sslmode");
        let mut config: tokio_postgres::Config = url
            .as_str()
            .parse()
            .map_err(|_| bad("a part of it is not known, or is out of range"))?;
        let beyond = beyond_loopback(&config);
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(bad("it names no host"));
        }
        let ssl_mode = match mode.as_deref() {
            Some("verify-full" | "require") => SslMode::Require,
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            None if beyond.is_none() => SslMode::Disable,
            None => SslMode::Require,
            Some(_) => return Err(bad("sslmode is verify-full, require, prefer or disable")),
        };
        if ssl_mode != SslMode::Require
            && !settings.plaintext_beyond_loopback
            && let Some(host) = beyond
        {
            return Err(PostgresError::Plaintext {
                mode: mode.unwrap_or_default(),
                host,
            });
        }
        config
            .ssl_mode(ssl_mode)
            .connect_timeout(settings.connect_timeout)
            // A server that is gone without a word is noticed.
            .keepalives_idle(std::time::Duration::from_secs(30))
            .tcp_user_timeout(settings.statement_timeout)
            .application_name("toolhost")
            .options(session(settings));
        let tls = tls(settings.ca.as_deref())?;
        Ok(Self { config, tls })
    }

    /// The address of another database on this server.
    pub(super) fn database(&self, name: &str) -> Self {
        let mut address = self.clone();
        address.config.dbname(name);
        address
    }
}

fn bad(why: &str) -> PostgresError {
    PostgresError::Url(why.to_owned())
}

/// What every session begins with. No name is looked up outside the system's own, and nobody holds
/// a lock for ever.
fn session(settings: &PostgresSettings) -> String {
    let patience = settings.statement_timeout.as_millis();
    format!(
        "-c search_path=pg_catalog -c statement_timeout={patience} -c lock_timeout={patience} \
         -c idle_in_transaction_session_timeout={patience} -c default_transaction_isolation=read\\ committed \
         -c row_security=on"
    )
}

/// Takes a parameter out of the URL: ours has values that the client's parser does not know.
fn take(url: &mut Url, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let value = pairs
        .iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone());
    let rest: Vec<_> = pairs.into_iter().filter(|(key, _)| key != name).collect();
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    value
}

/// The first host that is not this machine.
fn beyond_loopback(config: &tokio_postgres::Config) -> Option<String> {
    let addresses = config.get_hostaddrs().iter();
    let mut far = addresses
        .filter(|address| !address.is_loopback())
        .map(IpAddr::to_string);
    if let Some(far) = far.next() {
        return Some(far);
    }
    config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) if !is_loopback(name) => Some(name.clone()),
        _ => None,
    })
}

fn is_loopback(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn tls(ca: Option<&Path>) -> Result<MakeRustlsConnect, PostgresError> {
    let mut roots = rustls::RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let refused = |why: String| PostgresError::Certificates {
                path: path.to_owned(),
                why,
            };
            let found =
                CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| refused(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| refused(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(refused("there is none in it".to_owned()));
            }
        }
    }
    // The provider is named: nothing depends on what else the process has set.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresError::Unreachable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;
    use toolhost_policy::Secret;

    use super::{Address, PostgresError, PostgresSettings};

    fn mode(url: &str) -> Result<SslMode, PostgresError> {
        let url = Secret::from(url.to_owned());
        let settings = PostgresSettings::new(url);
        Address::from_url(&settings.url, &settings).map(|address| address.config.get_ssl_mode())
    }

    #[test]
    fn a_server_elsewhere_proves_who_it_is() {
        for url in [
            "postgres://u:p@db.example/d",
            "postgres://u:p@db.example/d?sslmode=require",
            "postgres://u:p@db.example/d?sslmode=verify-full&connect_timeout=3",
            "postgres://u:p@localhost/d?sslmode=verify-full",
            "postgresql://u:p@10.0.0.7:5433/d",
        ] {
            assert_eq!(mode(url).unwrap(), SslMode::Require, "{url}");
        }
        for url in [
            "postgres://u@localhost/d",
            "postgres://u@127.0.0.1:5433/d",
            "postgres://u@[::1]/d",
            "postgres:///d?host=/run/postgresql&user=u",
        ] {
            assert_eq!(mode(url).unwrap(), SslMode::Disable, "{url}");
        }
    }

    #[test]
    fn nothing_is_sent_in_clear_beyond_this_machine_unless_it_was_allowed() {
        for url in [
            "postgres://u:p@db.example/d?sslmode=disable",
            "postgres://u:p@db.example/d?sslmode=prefer",
            "postgres://u:p@localhost,db.example/d?sslmode=disable",
            "postgres://u:p@localhost/d?sslmode=disable&hostaddr=10.0.0.7",
            "postgres://u:p@localhost.example/d?sslmode=disable&sslmode=prefer",
        ] {
            let refused = mode(url).unwrap_err();
            assert!(
                matches!(
                    refused,
                    PostgresError::Plaintext { .. } | PostgresError::Url(_)
                ),
                "{url}: {refused}"
            );
            let url = Secret::from(url.to_owned());
            let mut settings = PostgresSettings::new(url);
            settings.plaintext_beyond_loopback = true;
            if matches!(refused, PostgresError::Plaintext { .. }) {
                Address::from_url(&settings.url, &settings).unwrap();
            }
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for url in [
            "",
            "postgres://",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h:99999/d",
            "postgres://u:hunter2@h/d?sslmode=verify-ca",
            "postgres://u:hunter2@h/d?hunter2=1",
            "host=h password=hunter2",
        ] {
            let refused = mode(url).unwrap_err();
            assert!(matches!(refused, PostgresError::Url(_)), "{url}: {refused}");
            assert!(
                !format!("{refused} {refused:?}").contains("hunter2"),
                "{url}"
            );
        }
    }
}
