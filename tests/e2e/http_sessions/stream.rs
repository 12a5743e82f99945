//! Server-sent events, as a client reads them.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// An event that is awaited comes within this.
const SOON: Duration = Duration::from_secs(20);

/// One event.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        Self::from_response(request.send().await.unwrap()).await
    }

    pub(crate) async fn from_response(response: Response) -> Self {
        if response.status() != 200 {
            panic!(
                "no stream: {} {}",
                response.status(),
                response.text().await.unwrap()
            );
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: String::new(),
        }
    }

    /// The next event; `None` once the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(SOON, self.awaited()).await;
        next.unwrap_or_else(|_| panic!("nothing came after {:?}", self.read))
    }

    /// The next event of this kind.
    pub(crate) async fn until(&mut self, kind: &str) -> Event {
        loop {
            let event = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if event.kind == kind {
                return event;
            }
        }
    }

    /// Whatever is left, until the stream ends.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut rest = vec![];
        while let Some(event) = self.next().await {
            rest.push(event);
        }
        rest
    }

    async fn awaited(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                let mut event = Event::default();
                for line in block.lines() {
                    match line.split_once(':') {
                        Some(("id", id)) => event.id = Some(id.trim().to_owned()),
                        Some(("event", kind)) => event.kind = kind.trim().to_owned(),
                        Some(("data", data)) => event.data.push_str(data.trim()),
                        _ => {}
                    }
                }
                if !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let chunk = self.response.chunk().await.ok()??;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}
