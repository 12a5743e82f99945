use std::borrow::Cow;

use toolhost_policy::{
    ConnectionGrant, ConnectionName, Endpoint, Method, base_prefix, check_canonical_path,
};
use url::Url;

use crate::absolute::{endpoint_of, query_pairs};
use crate::plan::RequestPlan;
use crate::{Egress, EgressCall, EgressFailure, GuestRequest, steps};

/// A request that would be sent, as far as nobody elsewhere is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRequest {
    /// The endpoint that it matches.
    pub endpoint: String,
}

/// A request that would be refused before anything is looked up or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The endpoint that it matches, or comes nearest to.
    pub nearest: Option<String>,
    /// No endpoint matches its method and path.
    pub is_no_endpoint: bool,
    /// The reason.
    pub why: Cow<'static, str>,
}

impl Egress {
    /// Takes the steps of a call that come before its credential, for a request that nobody makes:
    /// the plan of the request and the quarantine. `path` is below the connection's base, with a
    /// query.
    ///
    /// # Errors
    /// The reason of the first step that refuses.
    pub async fn explain(
        &self,
        call: &EgressCall,
        connection: &ConnectionName,
        method: &str,
        path: &str,
    ) -> Result<PlannedRequest, RefusedRequest> {
        let Some(grant) = call.grant().connections.get(connection) else {
            return Err(refused("the plugin asks for no such connection"));
        };
        let (endpoint, mut request) = find_endpoint(grant, method, path)?;
        if call.adapter().is_some() {
            // An adapter serves one connection and names none.
            request.connection.clear();
        }
        let refused = |failure: EgressFailure| RefusedRequest {
            nearest: Some(rule(endpoint)),
            is_no_endpoint: false,
            why: failure.message.into(),
        };
        let plan = RequestPlan::new(call, &request).map_err(refused)?;
        let quarantined = steps::quarantine(&self.quarantine, call, plan.connection()).await;
        quarantined.map_err(refused)?;
        Ok(PlannedRequest {
            endpoint: rule(plan.endpoint),
        })
    }
}

/// The endpoint of a method and a path, and the request that a guest would make there.
fn find_endpoint<'g>(
    grant: &'g ConnectionGrant,
    method: &str,
    path: &str,
) -> Result<(&'g Endpoint, GuestRequest), RefusedRequest> {
    let Some(known) = Method::parse(method) else {
        return Err(refused(
            "the method is none that can be granted (GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE)",
        ));
    };
    let base = &grant.guest_base;
    let text = format!(
        "{}{}{path}",
        base.origin().ascii_serialization(),
        base_prefix(base)
    );
    // A parser that takes dots or backslashes out of a path has made another one of it.
    let url = Url::parse(&text)
        .ok()
        .filter(|url| url.as_str() == text && path.starts_with('/'));
    let Some(url) = url else {
        return Err(refused(
            "the path is not in its canonical form, which begins with / and has no . or .. segment",
        ));
    };
    if let Err(why) = check_canonical_path(url.path()) {
        return Err(refused(format!("the path {why}")));
    }
    let Some((endpoint, parameters)) = endpoint_of(grant, known, &url) else {
        return Err(no_endpoint(grant, known, &url));
    };
    let query = query_pairs(&url).map_err(|failure| refused(failure.message))?;
    let request = GuestRequest {
        connection: grant.connection.name.to_string(),
        method: method.to_owned(),
        path: endpoint.path.to_string(),
        parameters,
        query,
        ..GuestRequest::default()
    };
    Ok((endpoint, request))
}

fn refused(why: impl Into<Cow<'static, str>>) -> RefusedRequest {
    RefusedRequest {
        nearest: None,
        is_no_endpoint: false,
        why: why.into(),
    }
}

fn no_endpoint(grant: &ConnectionGrant, method: Method, url: &Url) -> RefusedRequest {
    let own = url.path().strip_prefix(base_prefix(&grant.guest_base));
    let own = own.unwrap_or_default();
    let nearest = grant
        .endpoints
        .iter()
        .max_by_key(|endpoint| nearness(endpoint, method, own));
    let why = match nearest {
        None => "no endpoint is granted".into(),
        Some(endpoint) if endpoint.path.matches(own) => {
            format!("the rule is for {}", endpoint.method).into()
        }
        Some(_) => "the rule has another path".into(),
    };
    RefusedRequest {
        nearest: nearest.map(rule),
        is_no_endpoint: true,
        why,
    }
}

/// An endpoint for people.
fn rule(endpoint: &Endpoint) -> String {
    let keys = endpoint.query.join(",");
    let query = if keys.is_empty() {
        keys
    } else {
        format!(" query:{keys}")
    };
    format!("{} {}{query}", endpoint.method, endpoint.path)
}

/// A whole path before a beginning of one, and of those alike one with the same method.
fn nearness(endpoint: &Endpoint, method: Method, path: &str) -> (bool, usize, bool) {
    let segments = endpoint.path.as_str().split('/').zip(path.split('/'));
    let alike = segments
        .take_while(|(own, segment)| own == segment || own.contains('{'))
        .count();
    (
        endpoint.path.matches(path),
        alike,
        endpoint.method == method,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use toolhost_net::Network;
    use toolhost_policy::OperationMode;

    use crate::Egress;
    use crate::testing::{Recorder, call, grant_of};

    #[tokio::test]
    async fn what_a_call_would_refuse_is_refused_with_the_nearest_rule() {
        let network = Arc::new(Network::system().unwrap());
        let egress = Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap();
        let of_mode =
            |mode| call(grant_of("billing", "https://h.example/base", |_| {})).with_mode(mode);
        let (full, read) = (
            of_mode(OperationMode::Full),
            of_mode(OperationMode::ReadOnly),
        );
        let name = "billing".parse().unwrap();
        let planned = egress
            .explain(&full, &name, "GET", "/v1/invoices?limit=5")
            .await;
        assert!(planned.unwrap().endpoint.starts_with("GET /v1/invoices"));
        for (call, method, path, part) in [
            (&full, "DELETE", "/v1/invoices", "for GET"),
            (&full, "GET", "/v1/invoices?tenant=x", "tenant"),
            (&full, "GET", "/v2/other", "another path"),
            (&full, "TRACE", "/v1/invoices", "method"),
            (&full, "GET", "/v1/../v1/invoices", "canonical"),
            (&full, "GET", "v1/invoices", "canonical"),
            (&read, "POST", "/v1/refunds", "mode is read-only"),
        ] {
            let refused = egress.explain(call, &name, method, path).await.unwrap_err();
            assert!(refused.why.contains(part), "{method} {path}: {refused:?}");
        }
    }
}
