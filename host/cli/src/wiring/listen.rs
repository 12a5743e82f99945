//! The listeners: which addresses are acceptable, and opening them before anything slow begins.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use toolhost_identity::LoopbackOnly;
use url::Url;

use crate::exit::CliError;
use crate::setup::Setup;

/// The path of the MCP endpoint.
const MCP: &str = "/mcp";

/// Where the transports are to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenAddresses {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics: Option<SocketAddr>,
}

/// Refuses addresses before any of them is opened, so that nobody is let in for a moment.
///
/// # Errors
/// A development tenant with a listener that others can reach (A6), metrics that others can reach
/// without a token, or a public listener without a public URL.
pub(crate) fn check_addresses(setup: &Setup, addresses: ListenAddresses) -> Result<(), CliError> {
    let all: Vec<SocketAddr> = addresses
        .metrics
        .into_iter()
        .chain([addresses.listen])
        .collect();
    if setup.dev_tenant.is_some() && LoopbackOnly::from_listeners(&all).is_none() {
        return Err(CliError::usage(
            "--dev-tenant lets everybody in who reaches a listener, so it needs every listener on loopback: change --listen (127.0.0.1 or [::1]), or configure [[issuers]] and leave out --dev-tenant (DEV_TENANT_NAME)",
        ));
    }
    if let Some(metrics) = addresses.metrics
        && !metrics.ip().is_loopback()
        && setup.config.server.metrics_token.is_none()
    {
        return Err(CliError::usage(format!(
            "--metrics-listen {metrics}: others can reach it, so it needs a token that scrapers present: --metrics-token, or metrics_token_file or metrics_token_env under [server]"
        )));
    }
    if setup.config.server.public_url.is_none() && !addresses.listen.ip().is_loopback() {
        return Err(CliError::usage(
            "set public_url under [server] to the URL that callers use, such as https://tools.example.com/mcp: a listener beyond loopback cannot tell it by itself",
        ));
    }
    Ok(())
}

/// Opens one listener.
///
/// # Errors
/// The port is taken or not allowed, or the address is not this machine's; the text names the flag.
pub(crate) async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "the port is in use by another process".to_owned(),
            ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
            ErrorKind::AddrNotAvailable => "the address is not one of this machine".to_owned(),
            _ => error.to_string(),
        };
        CliError::usage(format!(
            "{address} cannot be listened on: {why}; choose another with {flag}"
        ))
    })
}

/// The URL of the MCP endpoint: the operator's, or the listener's own.
///
/// # Errors
/// Never for an address; the operator's was checked when it was read.
pub(crate) fn public_url(setup: &Setup, local: SocketAddr) -> anyhow::Result<Url> {
    match &setup.config.server.public_url {
        Some(url) => Ok(url.clone()),
        None => Ok(Url::parse(&format!("http://{local}{MCP}"))?),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use toolhost_identity::TenantId;

    use super::{ListenAddresses, bind, check_addresses};
    use crate::config::Config;
    use crate::setup::Setup;

    fn check(dev: bool, listen: &str, metrics: Option<&str>) -> Result<(), String> {
        let setup = Setup {
            config: Config::default(),
            dev_tenant: dev.then(|| TenantId::parse("acme").unwrap()),
            plugins: vec![],
            yes: false,
            lock: PathBuf::new(),
            cache_dir: PathBuf::new(),
        };
        let addresses = ListenAddresses {
            listen: listen.parse().unwrap(),
            metrics: metrics.map(|text| text.parse().unwrap()),
        };
        check_addresses(&setup, addresses).map_err(|failure| failure.message)
    }

    #[test]
    fn a_development_tenant_needs_every_listener_on_loopback() {
        assert!(check(true, "127.0.0.1:0", Some("[::1]:0")).is_ok());
        for listen in ["0.0.0.0:0", "[::]:0", "192.168.1.1:1"] {
            assert!(
                check(true, listen, None)
                    .unwrap_err()
                    .contains("--dev-tenant"),
                "{listen}"
            );
        }
        assert!(
            check(true, "127.0.0.1:0", Some("0.0.0.0:0"))
                .unwrap_err()
                .contains("--dev-tenant")
        );
    }

    #[test]
    fn metrics_are_for_this_machine_alone_without_a_token() {
        let refused = check(false, "127.0.0.1:0", Some("0.0.0.0:9")).unwrap_err();
        assert!(
            refused.contains("--metrics-listen") && refused.contains("metrics_token_file"),
            "{refused}"
        );
    }

    #[test]
    fn a_public_listener_must_be_told_its_url() {
        assert!(
            check(false, "0.0.0.0:8080", None)
                .unwrap_err()
                .contains("public_url")
        );
    }

    #[tokio::test]
    async fn a_busy_port_names_the_flag() {
        let taken = bind("--listen", "127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let error = bind("--listen", taken.local_addr().unwrap())
            .await
            .unwrap_err()
            .message;
        assert!(
            error.contains("in use") && error.contains("--listen"),
            "{error}"
        );
    }
}
