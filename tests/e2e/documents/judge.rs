//! Whether what a command said is what its document shows.

/// Whether the output is the documented one, and whether the command went well where it is shown
/// to. A failure is shown by its sentence, which begins with `host: `.
pub fn judge(
    text: &str,
    expected: Option<&[String]>,
    succeeded: Option<bool>,
) -> Result<(), String> {
    let actual: Vec<String> = plain(text)
        .lines()
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let fails = expected.is_some_and(|lines| lines.iter().any(|line| line.starts_with("host: ")));
    if succeeded.is_some_and(|succeeded| succeeded == fails) {
        return Err(format!(
            "it was to {}; it said:\n{}",
            if fails { "fail" } else { "go well" },
            actual.join("\n")
        ));
    }
    let Some(expected) = expected else {
        return Ok(());
    };
    let expected: Vec<&str> = expected
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| !line.is_empty())
        .collect();
    let actual: Vec<&str> = actual.iter().map(String::as_str).collect();
    if lines_match(&expected, &actual) {
        return Ok(());
    }
    Err(format!(
        "documented:\n{}\nreal:\n{}",
        expected.join("\n"),
        actual.join("\n")
    ))
}

/// `…` alone on a line stands for any lines.
fn lines_match(expected: &[&str], actual: &[&str]) -> bool {
    match (expected, actual) {
        ([], actual) => actual.is_empty(),
        (["…", rest @ ..], _) => {
            (0..=actual.len()).any(|skip| lines_match(rest, &actual[skip..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => {
            line_matches(line, first) && lines_match(rest, others)
        }
        _ => false,
    }
}

/// `…` in a line stands for any text.
fn line_matches(expected: &str, actual: &str) -> bool {
    let mut pieces = expected.split('…');
    let first = pieces.next().unwrap();
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}

/// Without what colours a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after
            .trim_start_matches(|c: char| !c.is_ascii_alphabetic())
            .get(1..)
            .unwrap_or("");
    }
    plain.push_str(rest);
    // What a progress display wrote over is not there any more.
    let last = |line: &str| {
        line.trim_end_matches('\r')
            .rsplit('\r')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    plain.split('\n').map(last).collect::<Vec<_>>().join("\n")
}
