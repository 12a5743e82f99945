use http::HeaderMap;
use toolhost_policy::{CheckedConnection, ConnectionGrant, Endpoint};
use url::Url;

use crate::{EgressCall, EgressFailure, GuestRequest, steps};

/// A guest's request as the pure steps have it: granted, canonical and matched, before anything is
/// looked up, asked of anybody or sent. Executing it adds the credential and nothing else;
/// `host explain` shows it.
pub(crate) struct RequestPlan<'r> {
    pub(crate) grant: &'r ConnectionGrant,
    pub(crate) endpoint: &'r Endpoint,
    /// With the sample of the base, where the base has places.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) request: &'r GuestRequest,
    /// The operator accepts that the operation reflects.
    pub(crate) is_accepted: bool,
    /// The operator lets a range of the operation be asked for.
    pub(crate) may_be_partial: bool,
}

impl<'r> RequestPlan<'r> {
    /// Takes the pure steps, in their order.
    ///
    /// # Errors
    /// The first step that refuses.
    pub(crate) fn new(
        call: &'r EgressCall,
        request: &'r GuestRequest,
    ) -> Result<Self, EgressFailure> {
        let grant = steps::connection(call, &request.connection)?;
        let connection = &grant.connection;
        steps::operation(call, request)?;
        steps::principal(call.binding(), grant)?;
        steps::budget(call, body_bytes(request))?;
        let endpoint = steps::endpoint(grant, request)?;
        steps::mode(call, &connection.name, &request.method)?;
        let text = steps::build_url(&connection.base, endpoint, request)?;
        let url = steps::canonicalise(connection, &endpoint.path, &text)?;
        steps::match_again(grant, &connection.base, endpoint, &url)?;
        let headers = steps::guest_headers(call, connection, &request.headers)?;
        let ruled = |rules| steps::is_ruled(rules, connection, endpoint.method, &url);
        let (is_accepted, may_be_partial) =
            (ruled(&connection.reflects), ruled(&connection.ranges));
        steps::range(connection, may_be_partial, &headers)?;
        Ok(Self {
            grant,
            endpoint,
            url,
            headers,
            request,
            is_accepted,
            may_be_partial,
        })
    }

    pub(crate) fn connection(&self) -> &'r CheckedConnection {
        &self.grant.connection
    }

    pub(crate) fn body_bytes(&self) -> usize {
        body_bytes(self.request)
    }
}

fn body_bytes(request: &GuestRequest) -> usize {
    request.body.as_ref().map_or(0, bytes::Bytes::len)
}
