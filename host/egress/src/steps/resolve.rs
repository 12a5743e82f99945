use toolhost_net::{AddressPolicy, ApprovedAddresses, Network};
use toolhost_policy::Connection;
use url::Url;

use super::send::failure;
use crate::{EgressCall, EgressFailure};

/// Looks the host up once and classifies every answer (T2, T3, T4). The request can go to these
/// addresses alone.
///
/// # Errors
/// `denied` for a host or an address that is not acceptable, without saying which it was;
/// `upstream` or `timeout` where there is no answer.
pub async fn resolve(
    network: &Network,
    call: &EgressCall,
    connection: &Connection,
    url: &Url,
) -> Result<ApprovedAddresses, EgressFailure> {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(EgressFailure::denied(format!(
            "connection {} has no host",
            connection.name
        )));
    };
    let resolved = network
        .resolve(
            &host,
            port,
            &AddressPolicy::from_connection(connection),
            call.deadline(),
        )
        .await;
    resolved.map_err(|error| failure(connection, call, &error))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use toolhost_net::Network;

    use super::resolve;
    use crate::EgressCode;
    use crate::testing::{FixedLookup, call, connection, grant_of};

    async fn try_host(base: &str, answers: &[&str]) -> Result<usize, (EgressCode, String)> {
        let answers: Vec<IpAddr> = answers.iter().map(|text| text.parse().unwrap()).collect();
        let network = Network::new(Arc::new(FixedLookup::new(answers))).unwrap();
        let connection = connection("billing", base);
        let call = call(grant_of("billing", base, |_| {}));
        let resolved = resolve(&network, &call, &connection, &connection.base).await;
        resolved
            .map(|approved| approved.addresses().len())
            .map_err(|failure| (failure.code, failure.message))
    }

    #[tokio::test]
    async fn one_bad_address_refuses_all_and_is_not_named() {
        assert_eq!(
            try_host("https://h.example", &["93.184.215.14"]).await,
            Ok(1)
        );
        for bad in [
            "127.0.0.1",
            "10.0.0.7",
            "169.254.169.254",
            "::1",
            "::ffff:10.0.0.7",
            "64:ff9b::a00:7",
            "fd00:ec2::254",
        ] {
            let (code, message) = try_host("https://h.example", &["93.184.215.14", bad])
                .await
                .unwrap_err();
            assert_eq!(code, EgressCode::Denied, "{bad}");
            assert!(
                !message.contains(bad)
                    && !message.contains("10.0.0.7")
                    && !message.contains("h.example"),
                "{message}"
            );
        }
    }

    #[tokio::test]
    async fn an_address_in_the_base_is_classified_too() {
        for base in [
            "https://127.0.0.1",
            "https://[::1]",
            "https://0x7f000001",
            "https://169.254.169.254",
            "https://localhost",
        ] {
            assert_eq!(
                try_host(base, &["127.0.0.1"]).await.unwrap_err().0,
                EgressCode::Denied,
                "{base}"
            );
        }
    }

    #[tokio::test]
    async fn a_host_without_an_address_is_an_upstream_failure() {
        assert_eq!(
            try_host("https://h.example", &[]).await.unwrap_err().0,
            EgressCode::Upstream
        );
    }
}
