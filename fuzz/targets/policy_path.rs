//! A path template and a value of whatever bytes: what is built matches the template that built it,
//! and stays below it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhost_policy::PathTemplate;

fuzz_target!(|texts: (&str, &str, &str)| {
    let (template, value, path) = texts;
    let Ok(template) = PathTemplate::parse(template) else {
        return;
    };
    let _ = template.matches(path);
    let names: Vec<String> = template.parameters().map(str::to_owned).collect();
    let values = names.iter().map(|name| (name.as_str(), value));
    if let Ok(built) = template.build(values) {
        assert!(built.starts_with('/') && !built.contains(['?', '#', '\\', ' ']));
        assert!(
            built
                .split('/')
                .all(|segment| segment != "." && segment != "..")
        );
        let (segments, least) = (
            built.split('/').count(),
            template.as_str().split('/').count(),
        );
        // A `{+name}` is of as many segments as its value has.
        let most = least
            + if template.as_str().contains("{+") {
                value.matches('/').count()
            } else {
                0
            };
        assert!((least..=most).contains(&segments));
        assert!(template.matches(&built));
    }
});
