//! What a request is answered with.

use reqwest::RequestBuilder;
use serde_json::Value;

/// The answer's body, which is JSON.
pub async fn json_of(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}
