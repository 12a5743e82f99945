use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::grants::Approver;
use crate::screen;

/// Who answers what plugins ask for, whenever one of them has been loaded.
#[derive(Debug, Clone)]
pub(crate) enum ApprovalMode {
    /// `--yes`.
    Yes,
    /// Whoever sits at the terminal. The flag is set while a question stands.
    Terminal(Arc<AtomicBool>),
    /// Nobody.
    Nobody,
}

impl ApprovalMode {
    /// `asking` where stdin does not belong to a protocol.
    pub(crate) fn from_flags(yes: bool, asking: Option<&Arc<AtomicBool>>) -> Self {
        match asking {
            _ if yes => Self::Yes,
            Some(asking) if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => {
                Self::Terminal(Arc::clone(asking))
            }
            _ => Self::Nobody,
        }
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Approver<'_>) -> T) -> T {
        let asking = match self {
            Self::Yes => return act(&mut Approver::Yes),
            Self::Nobody => return act(&mut Approver::Nobody),
            Self::Terminal(asking) => asking,
        };
        let mut person = |text: &str| {
            asking.store(true, Ordering::Release);
            let answer = ask(text);
            asking.store(false, Ordering::Release);
            answer
        };
        act(&mut Approver::Person(&mut person))
    }
}

/// Shows a text and takes one line; anything but a plain yes is a no.
pub(crate) fn ask(text: &str) -> std::io::Result<bool> {
    screen::prompt(&format!("{text}Grant this? [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
