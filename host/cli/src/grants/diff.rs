use std::collections::BTreeSet;

use super::PluginApproval;

/// What changed since the last yes, a line each: `+` is new, `-` is gone, `~` is different.
pub(super) fn diff(before: &PluginApproval, now: &PluginApproval) -> Vec<String> {
    let mut lines = Vec::new();
    if before.version != now.version {
        lines.push(format!("~ version {} -> {}", before.version, now.version));
    }
    if before.digest != now.digest {
        lines.push(format!(
            "~ digest {} -> {}",
            short(&before.digest),
            short(&now.digest)
        ));
    }
    let names: BTreeSet<_> = before
        .connections
        .keys()
        .chain(now.connections.keys())
        .collect();
    for name in names {
        match (before.connections.get(name), now.connections.get(name)) {
            (Some(_), None) => lines.push(format!("- connection {name}")),
            (None, Some(new)) => {
                lines.push(format!("+ connection {name} (callers: {})", new.principal));
                lines.extend(
                    new.allow
                        .iter()
                        .map(|endpoint| format!("+ {name}: {endpoint}")),
                );
            }
            (Some(old), Some(new)) => {
                if old.principal != new.principal {
                    lines.push(format!(
                        "~ {name}: callers {} -> {}",
                        old.principal, new.principal
                    ));
                }
                if old.base != new.base {
                    lines.push(format!("~ {name}: base in the plugin's own URLs"));
                }
                let gone = old
                    .allow
                    .iter()
                    .filter(|endpoint| !new.allow.contains(endpoint));
                lines.extend(gone.map(|endpoint| format!("- {name}: {endpoint}")));
                let added = new
                    .allow
                    .iter()
                    .filter(|endpoint| !old.allow.contains(endpoint));
                lines.extend(added.map(|endpoint| format!("+ {name}: {endpoint}")));
            }
            (None, None) => {}
        }
    }
    let tools: BTreeSet<_> = before.tools.keys().chain(now.tools.keys()).collect();
    for tool in tools {
        match (before.tools.get(tool), now.tools.get(tool)) {
            (Some(_), None) => lines.push(format!("- tool {tool}")),
            (None, Some(_)) => lines.push(format!("+ tool {tool}")),
            (Some(old), Some(new)) if old != new => {
                lines.push(format!("~ tool {tool}: its description, schema or effects"));
            }
            _ => {}
        }
    }
    let limits: BTreeSet<_> = before.limits.keys().chain(now.limits.keys()).collect();
    for limit in limits {
        let (old, new) = (before.limits.get(limit), now.limits.get(limit));
        if old != new {
            let show = |value: Option<&u64>| {
                value.map_or("the host's own".to_owned(), ToString::to_string)
            };
            lines.push(format!("~ limit {limit} {} -> {}", show(old), show(new)));
        }
    }
    if before.manifest != now.manifest && lines.is_empty() {
        lines.push("~ manifest".to_owned());
    }
    lines
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
