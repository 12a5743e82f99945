use std::sync::Arc;

use bytes::Bytes;
use toolhost_egress::{BodyStream, Egress, EgressCall, EgressFailure, GuestRequest};
use wasmtime::component::Resource;

use crate::bindings::toolhost::plugin::http::{
    Host, HostExchange, HttpFailure, Request, Response, ResponseHead,
};
use crate::state::{CallScope, HostState};

/// The most that one `read` returns.
const MAX_READ: usize = 1 << 20;

fn failure(failure: EgressFailure) -> HttpFailure {
    HttpFailure {
        code: failure.code.as_str().to_owned(),
        message: failure.message,
        sent: failure.sent,
        meta: Vec::new(),
    }
}

fn unreachable_here() -> HttpFailure {
    HttpFailure {
        code: "denied".to_owned(),
        message: "a plugin that describes itself reaches nothing".to_owned(),
        sent: false,
        meta: Vec::new(),
    }
}

fn request(request: Request) -> GuestRequest {
    GuestRequest {
        connection: request.connection,
        method: request.method,
        path: request.path,
        parameters: request.parameters,
        query: request.query,
        headers: request.headers,
        body: request.body.map(Bytes::from),
    }
}

impl HostState {
    /// The way out for one more request; `None` while the plugin describes itself. Far over its
    /// budget the call ends.
    fn take_egress(&mut self) -> wasmtime::Result<Option<(Arc<Egress>, Arc<EgressCall>)>> {
        Ok(self
            .scope
            .as_mut()
            .map(CallScope::take_request)
            .transpose()?)
    }
}

impl Host for HostState {
    async fn send(&mut self, asked: Request) -> wasmtime::Result<Result<Response, HttpFailure>> {
        let Some((egress, call)) = self.take_egress()? else {
            return Ok(Err(unreachable_here()));
        };
        Ok(match egress.send(&call, request(asked)).await {
            Ok(response) => Ok(Response {
                status: response.status,
                headers: response.headers,
                body: response.body.into(),
                meta: Vec::new(),
            }),
            Err(error) => Err(failure(error)),
        })
    }

    async fn start(
        &mut self,
        asked: Request,
    ) -> wasmtime::Result<Result<Resource<HttpExchange>, HttpFailure>> {
        let Some((egress, call)) = self.take_egress()? else {
            return Ok(Err(unreachable_here()));
        };
        let task = tokio::spawn(async move { egress.start(call, request(asked)).await });
        let exchange = HttpExchange {
            state: ExchangeState::Starting(PendingExchange(task)),
        };
        Ok(Ok(self.table.push(exchange)?))
    }
}

/// A response that is read in parts.
#[expect(unreachable_pub, reason = "the generated bindings name it publicly")]
pub struct HttpExchange {
    state: ExchangeState,
}

impl std::fmt::Debug for HttpExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpExchange")
    }
}

enum ExchangeState {
    Starting(PendingExchange),
    Open(Box<OpenExchange>),
    Failed(EgressFailure),
}

struct OpenExchange {
    head: (u16, Vec<(String, String)>),
    body: BodyStream,
    ready: Option<Bytes>,
    ended: bool,
}

/// A request on its way; it ends when the guest lets go of it.
struct PendingExchange(
    tokio::task::JoinHandle<Result<toolhost_egress::StreamingResponse, EgressFailure>>,
);

impl Drop for PendingExchange {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl HttpExchange {
    /// Waits for the head.
    async fn wait_for_head(&mut self) {
        let ExchangeState::Starting(PendingExchange(task)) = &mut self.state else {
            return;
        };
        self.state = match task.await {
            Ok(Ok(exchange)) => ExchangeState::Open(Box::new(OpenExchange {
                head: (exchange.head.status, exchange.head.headers),
                body: exchange.body,
                ready: None,
                ended: false,
            })),
            Ok(Err(error)) => ExchangeState::Failed(error),
            Err(_) => ExchangeState::Failed(EgressFailure::unknown_outcome(
                "the request ended inside the host",
            )),
        };
    }

    /// Waits for bytes, the end, or a failure. Nothing is lost when the wait is given up.
    async fn wait_for_bytes(&mut self) {
        self.wait_for_head().await;
        let ExchangeState::Open(open) = &mut self.state else {
            return;
        };
        if open.ended || open.ready.is_some() {
            return;
        }
        match open.body.next().await {
            Some(Ok(bytes)) => open.ready = Some(bytes),
            None => open.ended = true,
            Some(Err(error)) => self.state = ExchangeState::Failed(error),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl wasmtime_wasi::p2::Pollable for HttpExchange {
    async fn ready(&mut self) {
        if matches!(self.state, ExchangeState::Starting(_)) {
            self.wait_for_head().await;
        } else {
            self.wait_for_bytes().await;
        }
    }
}

impl HostExchange for HostState {
    async fn head(
        &mut self,
        this: Resource<HttpExchange>,
    ) -> wasmtime::Result<Result<Option<ResponseHead>, HttpFailure>> {
        let exchange = self.table.get_mut(&this)?;
        if matches!(&exchange.state, ExchangeState::Starting(PendingExchange(task)) if task.is_finished())
        {
            exchange.wait_for_head().await;
        }
        Ok(match &exchange.state {
            ExchangeState::Starting(_) => Ok(None),
            ExchangeState::Open(open) => {
                let (status, headers) = open.head.clone();
                Ok(Some(ResponseHead {
                    status,
                    headers,
                    meta: Vec::new(),
                }))
            }
            ExchangeState::Failed(error) => Err(failure(error.clone())),
        })
    }

    async fn read(
        &mut self,
        this: Resource<HttpExchange>,
        max: u32,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, HttpFailure>> {
        let exchange = self.table.get_mut(&this)?;
        exchange.wait_for_bytes().await;
        let max = usize::try_from(max)
            .unwrap_or(usize::MAX)
            .clamp(1, MAX_READ);
        Ok(match &mut exchange.state {
            ExchangeState::Open(open) => Ok(open.ready.take().map(|mut bytes| {
                if bytes.len() > max {
                    open.ready = Some(bytes.split_off(max));
                }
                bytes.into()
            })),
            ExchangeState::Failed(error) => Err(failure(error.clone())),
            ExchangeState::Starting(_) => Ok(None),
        })
    }

    async fn drop(&mut self, this: Resource<HttpExchange>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
