use std::fmt::Write as _;

use toolhost_audit::{Event, GrantApproved, Sink};

use super::diff::diff;
use super::{ConnectionApproval, Lock, PluginApproval, answers};
use crate::exit::CliError;
use crate::output::printable;

/// Who answers where the lock does not.
pub(crate) enum Approver<'a> {
    /// `--yes`.
    Yes,
    /// A person; is shown a text and says yes or no.
    Person(&'a mut dyn FnMut(&str) -> std::io::Result<bool>),
    /// Nobody.
    Nobody,
}

/// Every plugin is granted, by the lock or by a new yes, or none is.
///
/// # Errors
/// Nobody is there to ask, the person said no, or the yes cannot be recorded.
pub(crate) fn approve(
    asked: &[PluginApproval],
    lock: &mut Lock,
    answerer: &mut Approver<'_>,
    audit: &dyn Sink,
) -> anyhow::Result<()> {
    let open: Vec<&PluginApproval> = asked
        .iter()
        .filter(|asked| lock.plugin_approval(&asked.name) != Some(asked))
        .collect();
    let by = match (&*answerer, open.is_empty()) {
        (_, true) => "host.lock",
        (Approver::Yes, _) => "--yes",
        _ => "terminal",
    };
    if !open.is_empty() {
        let text: String = open
            .iter()
            .map(|asked| describe(asked, lock.plugin_approval(&asked.name)))
            .collect();
        match answerer {
            Approver::Yes => {
                tracing::info!(lock = %lock.path().display(), "granted with --yes:\n{text}")
            }
            Approver::Person(ask) => {
                if !ask(&text)? {
                    return Err(CliError::refusal("not granted, and so not served").into());
                }
            }
            Approver::Nobody => {
                let names = open
                    .iter()
                    .map(|asked| asked.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(CliError::refusal(format!(
                    "{text}this is not granted to {names} yet: run it once on a terminal and answer the question, or pass --yes"
                ))
                .into());
            }
        }
    }
    for asked in asked {
        let event = GrantApproved {
            plugin: asked.name.clone(),
            digest: asked.digest.clone(),
            by,
        };
        audit.record_now(&Event::GrantApproved(event))?;
    }
    if !open.is_empty() {
        let new: Vec<PluginApproval> = open.into_iter().cloned().collect();
        new.into_iter().for_each(|asked| lock.grant(asked));
        lock.write()?;
    }
    Ok(())
}

/// Whether what an adapter found is granted, by the lock or by a new yes. Where it is not, and
/// something was before, that is for the caller to go on with. `said` is the document or the answer
/// that it was found in, which is kept beside the lock.
///
/// # Errors
/// The yes cannot be recorded, or the lock or what was said not written.
pub(crate) fn approve_described(
    asked: &ConnectionApproval,
    said: &[u8],
    notes: &[String],
    lock: &mut Lock,
    answerer: &mut Approver<'_>,
    audit: &dyn Sink,
) -> anyhow::Result<Result<(), String>> {
    let before = lock.connection_approval(&asked.name);
    if before == Some(asked) {
        answers::keep(lock.path(), said)?;
        return Ok(Ok(()));
    }
    let said_before = before.and_then(ConnectionApproval::said).map(str::to_owned);
    let mut text = String::new();
    let head = match before {
        None => "asks for",
        Some(_) => "changed since it was granted",
    };
    let _ = writeln!(text, "connection {} {head}:", printable(&asked.name));
    for line in asked.lines(before).iter().chain(notes) {
        let _ = writeln!(text, "  {}", printable(line));
    }
    let by = match answerer {
        Approver::Yes => {
            tracing::info!(lock = %lock.path().display(), "granted with --yes:\n{text}");
            "--yes"
        }
        Approver::Person(ask) => {
            if !ask(&text)? {
                return Ok(Err(text));
            }
            "terminal"
        }
        Approver::Nobody => return Ok(Err(text)),
    };
    audit.record_now(&Event::GrantApproved(GrantApproved {
        plugin: asked.name.clone(),
        digest: asked
            .document
            .clone()
            .unwrap_or_else(|| asked.digest.clone()),
        by,
    }))?;
    answers::keep(lock.path(), said)?;
    lock.grant_described(asked.clone());
    lock.write()?;
    if let Some(before) = said_before.filter(|before| !lock.has_said(before)) {
        answers::directory(lock.path()).remove(&before);
    }
    Ok(Ok(()))
}

/// What a person reads before saying yes. Everything in it comes from the plugin, so nothing in it
/// can steer a terminal.
fn describe(asked: &PluginApproval, before: Option<&PluginApproval>) -> String {
    let mut text = String::new();
    let _ = match before {
        None => writeln!(
            text,
            "plugin {} {} asks for:",
            printable(&asked.name),
            printable(&asked.version)
        ),
        Some(_) => writeln!(
            text,
            "plugin {} changed since it was granted:",
            printable(&asked.name)
        ),
    };
    let lines = match before {
        Some(before) => diff(before, asked),
        None => full_description(asked),
    };
    for line in lines {
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text
}

fn full_description(asked: &PluginApproval) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, connection) in &asked.connections {
        lines.push(format!(
            "connection {name} (callers: {})",
            connection.principal
        ));
        lines.extend(
            connection
                .allow
                .iter()
                .map(|endpoint| format!("    {endpoint}")),
        );
        lines.extend(
            connection
                .base
                .iter()
                .map(|base| format!("    written against {base}")),
        );
    }
    if asked.connections.is_empty() {
        lines.push("no connection: it reaches nothing outside".to_owned());
    }
    let tools: Vec<&str> = asked.tools.keys().map(String::as_str).collect();
    lines.push(format!("tools: {}", tools.join(", ")));
    lines.push(format!("digest: {}", asked.digest));
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toolhost_audit::LogSink;
    use toolhost_policy::Manifest;

    use super::super::{Lock, PluginApproval};
    use super::{Approver, approve};

    const MANIFEST: &str = "[plugin]\nname='billing'\nversion='1'\n[[connection]]\nname='billing'\n[[connection.allow]]\nmethod='GET'\npath='/v1/invoices'\nquery=['limit']\n";

    fn asked(manifest: &str, digest: &str, schema: &str) -> PluginApproval {
        let tools = BTreeMap::from([(
            "list_invoices".to_owned(),
            serde_json::json!({ "schema": schema }),
        )]);
        PluginApproval::new(
            &Manifest::parse(manifest.as_bytes()).unwrap(),
            digest.into(),
            &tools,
        )
    }

    /// What a person was shown, if somebody was asked at all.
    fn shown(asked: &PluginApproval, lock: &mut Lock, says: bool) -> (Option<String>, bool) {
        let mut seen = None;
        let mut person = |text: &str| {
            seen = Some(text.to_owned());
            Ok(says)
        };
        let granted = approve(
            std::slice::from_ref(asked),
            lock,
            &mut Approver::Person(&mut person),
            &LogSink,
        )
        .is_ok();
        (seen, granted)
    }

    #[test]
    fn a_yes_is_kept_and_the_same_plugin_is_not_asked_about_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.lock");
        let plugin = asked(MANIFEST, "aa", "x");
        let (text, granted) = shown(&plugin, &mut Lock::read(&path).unwrap(), true);
        assert!(granted && text.unwrap().contains("GET /v1/invoices query:limit"));
        let mut lock = Lock::read(&path).unwrap();
        assert!(approve(&[plugin], &mut lock, &mut Approver::Nobody, &LogSink).is_ok());
    }

    #[test]
    fn a_no_serves_nothing_and_keeps_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.lock");
        assert!(
            !shown(
                &asked(MANIFEST, "aa", "x"),
                &mut Lock::read(&path).unwrap(),
                false
            )
            .1
        );
        assert!(!path.exists());
    }

    #[test]
    fn nobody_to_ask_refuses_with_the_way_to_grant() {
        let directory = tempfile::tempdir().unwrap();
        let mut lock = Lock::read(&directory.path().join("host.lock")).unwrap();
        let error = approve(
            &[asked(MANIFEST, "aa", "x")],
            &mut lock,
            &mut Approver::Nobody,
            &LogSink,
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("--yes") && error.to_string().contains("GET /v1/invoices"),
            "{error}"
        );
    }

    #[test]
    fn a_changed_digest_schema_or_wider_request_is_asked_about_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.lock");
        let mut lock = Lock::read(&path).unwrap();
        approve(
            &[asked(MANIFEST, "aa", "x")],
            &mut lock,
            &mut Approver::Yes,
            &LogSink,
        )
        .unwrap();
        let wider = MANIFEST.replace("['limit']", "['limit','expand']");
        for (plugin, says) in [
            (asked(MANIFEST, "bb", "x"), "~ digest aa -> bb"),
            (asked(MANIFEST, "aa", "y"), "~ tool list_invoices"),
            (
                asked(&wider, "aa", "x"),
                "+ billing: GET /v1/invoices query:expand,limit",
            ),
            (
                asked(
                    &MANIFEST.replace("version='1'", "version='1'\ndescription='new'"),
                    "aa",
                    "x",
                ),
                "~ manifest",
            ),
            (
                asked(
                    &MANIFEST.replace(
                        "name='billing'\n[[conn",
                        "name='billing'\nprincipal='any'\n[[conn",
                    ),
                    "aa",
                    "x",
                ),
                "callers user -> any",
            ),
        ] {
            let mut lock = Lock::read(&path).unwrap();
            let (text, granted) = shown(&plugin, &mut lock, false);
            assert!(
                !granted && text.as_deref().is_some_and(|text| text.contains(says)),
                "{says}: {text:?}"
            );
            let mut lock = Lock::read(&path).unwrap();
            assert!(
                approve(&[plugin], &mut lock, &mut Approver::Nobody, &LogSink).is_err(),
                "{says}"
            );
        }
    }

    #[test]
    fn a_lock_that_does_not_read_grants_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host.lock");
        for text in [
            "nonsense",
            "version = 2\n",
            "version = 1\n[[plugin]]\nname = 'billing'\n",
            "version = 1\nother = 1\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(
                Lock::read(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("host.lock"),
                "{text}"
            );
        }
    }
}
