//! A guest's http request: match, attach, send, scrub.
