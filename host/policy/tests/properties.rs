//! Properties of the rules, over values that nobody thought of.

#![allow(clippy::unwrap_used, reason = "a test")]

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use toolhost_policy::{HeaderTemplate, Manifest, PathTemplate};

proptest! {
    /// Whatever value is accepted stays in its segment, is matched again by its own template, and
    /// decodes to itself.
    #[test]
    fn an_accepted_value_stays_in_its_segment(value in ".{0,40}|[./\\\\%2eEfF5cC]{1,12}") {
        let template = PathTemplate::parse("/v1/invoices/{id}/lines").unwrap();
        if let Ok(path) = template.build([("id", value.as_str())]) {
            prop_assert!(template.matches(&path));
            let segments: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(segments.len(), 5);
            let decoded = percent_decode_str(segments.get(3).unwrap()).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), value.as_str());
            // What a URL parser makes of it is the same path.
            let url = url::Url::parse(&format!("https://x.example{path}")).unwrap();
            prop_assert_eq!(url.path(), path.as_str());
        }
    }

    /// A path that matches is one that the template can build.
    #[test]
    fn what_matches_could_have_been_built(segment in "[a-zA-Z0-9%./;:@~-]{0,16}") {
        let template = PathTemplate::parse("/v1/{id}").unwrap();
        let path = format!("/v1/{segment}");
        if template.matches(&path) {
            let value = percent_decode_str(&segment).decode_utf8().unwrap();
            prop_assert_eq!(template.build([("id", value.as_ref())]).unwrap(), path);
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PathTemplate::parse(&text);
        let _ = PathTemplate::parse(&format!("/{text}"));
        let _ = HeaderTemplate::parse(&text);
        let _ = Manifest::parse(&bytes);
        let _ = Manifest::parse(text.as_bytes());
    }
}
