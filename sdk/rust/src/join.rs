use crate::exchange::CHUNK;
use crate::{Exchange, Head, HttpError, Response, host};

/// Waits for several answers side by side. They come back in the order given, each with its own
/// error.
///
/// ```no_run
/// # use toolhost_sdk::{Http, HttpError, join};
/// # fn main() -> Result<(), HttpError> {
/// let pages = (1..=3)
///     .map(|page| Http::connection("billing").get("/v1/invoices").query("page", page).start())
///     .collect::<Result<Vec<_>, _>>()?;
/// for answer in join(pages) {
///     let _invoices: serde_json::Value = answer?.json()?;
/// }
/// # Ok(()) }
/// ```
#[must_use]
pub fn join(exchanges: Vec<Exchange>) -> Vec<Result<Response, HttpError>> {
    let mut slots: Vec<Slot> = exchanges.into_iter().map(Slot::new).collect();
    loop {
        let waiting: Vec<(usize, host::Pollable)> = slots
            .iter()
            .enumerate()
            .filter_map(|(at, slot)| {
                slot.exchange
                    .as_ref()
                    .map(|exchange| (at, exchange.subscribe()))
            })
            .collect();
        if waiting.is_empty() {
            break;
        }
        let pollables: Vec<&host::Pollable> =
            waiting.iter().map(|(_, pollable)| pollable).collect();
        let ready: Vec<usize> = host::poll(&pollables)
            .into_iter()
            .filter_map(|ready| Some(waiting.get(usize::try_from(ready).ok()?)?.0))
            .collect();
        // An exchange ends in `step`, and none may end before the pollables that were made of it.
        drop(waiting);
        for at in ready {
            if let Some(slot) = slots.get_mut(at) {
                slot.step();
            }
        }
    }
    slots.into_iter().map(Slot::finish).collect()
}

/// One answer as far as it has come. `exchange` is gone once it is whole or has failed.
struct Slot {
    exchange: Option<Exchange>,
    head: Option<Head>,
    body: Vec<u8>,
    error: Option<HttpError>,
}

impl Slot {
    const fn new(exchange: Exchange) -> Self {
        Self {
            exchange: Some(exchange),
            head: None,
            body: Vec::new(),
            error: None,
        }
    }

    fn step(&mut self) {
        let Some(exchange) = &self.exchange else {
            return;
        };
        let outcome = if self.head.is_none() {
            exchange.try_head().map(|head| {
                self.head = head;
                true
            })
        } else {
            exchange.read(CHUNK).map(|chunk| match chunk {
                Some(chunk) => {
                    self.body.extend_from_slice(&chunk);
                    true
                }
                None => false,
            })
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => self.exchange = None,
            Err(error) => {
                self.error = Some(error);
                self.exchange = None;
            }
        }
    }

    fn finish(self) -> Result<Response, HttpError> {
        match (self.error, self.head) {
            (None, Some(head)) => Ok(Response {
                status: head.status,
                headers: head.headers,
                body: self.body,
            }),
            (Some(error), _) => Err(error),
            (None, None) => Err(HttpError::upstream("the answer has no head", None)),
        }
    }
}
