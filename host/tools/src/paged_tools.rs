use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use toolhost_policy::{ErrorCode, PublicError};

use crate::ToolEntry;

/// Tools on a page. A page of this size is some tens of kilobytes.
const PAGE: usize = 100;

/// Some of the tools.
#[derive(Debug)]
pub struct ToolPage {
    /// In the order of their names.
    pub tools: Vec<Arc<ToolEntry>>,
    /// Where to go on.
    pub next_cursor: Option<String>,
    /// Of the list; it changes whenever the list may have.
    pub revision: u64,
}

/// A list of tools in pages, built once. Tenants that may call the same tools share one.
#[derive(Debug, Default)]
pub(crate) struct PagedTools {
    pages: Vec<Arc<ToolPage>>,
    revision: u64,
}

impl PagedTools {
    /// Of tools in the order of their names.
    pub(crate) fn from_entries<'a>(
        entries: impl ExactSizeIterator<Item = &'a Arc<ToolEntry>>,
        revision: u64,
    ) -> Self {
        let count = entries.len().div_ceil(PAGE).max(1);
        let mut rest = entries.cloned();
        let pages = (0..count)
            .map(|index| {
                let tools = rest.by_ref().take(PAGE).collect();
                let next_cursor = (index + 1 < count).then(|| write_cursor(index + 1, revision));
                Arc::new(ToolPage {
                    tools,
                    next_cursor,
                    revision,
                })
            })
            .collect();
        Self { pages, revision }
    }

    /// How many tools.
    pub(crate) fn len(&self) -> usize {
        self.pages.iter().map(|page| page.tools.len()).sum()
    }

    pub(crate) fn page(&self, cursor: Option<&str>) -> Result<Arc<ToolPage>, PublicError> {
        let index = match cursor {
            None => Some(0),
            Some(cursor) => read_cursor(cursor, self.revision),
        };
        index
            .and_then(|index| self.pages.get(index))
            .cloned()
            .ok_or_else(|| {
                PublicError::new(
                    ErrorCode::InvalidRequest,
                    "the cursor is of no page of the present list; begin without one",
                )
                .about("cursor")
            })
    }
}

/// A cursor names its revision, so that one of an older list is refused instead of skipping tools.
fn write_cursor(page: usize, revision: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{revision}.{page}"))
}

fn read_cursor(cursor: &str, revision: u64) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (of, page) = text.split_once('.')?;
    if of.parse() != Ok(revision) {
        return None;
    }
    page.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_policy::PluginName;

    use super::{PAGE, PagedTools};
    use crate::ToolEntry;

    fn paged_tools(count: usize) -> PagedTools {
        let plugin = PluginName::parse("x").unwrap();
        let entries: Vec<_> = (0..count)
            .map(|index| {
                let tool = crate::entry::test_tool(&format!("t{index:04}"));
                Arc::new(ToolEntry::new(&plugin, tool).unwrap())
            })
            .collect();
        PagedTools::from_entries(entries.iter(), 7)
    }

    #[test]
    fn every_tool_is_on_exactly_one_page_and_a_page_is_built_once() {
        let paged_tools = paged_tools(PAGE * 2 + 1);
        let (mut cursor, mut names) = (None, vec![]);
        loop {
            let page = paged_tools.page(cursor.as_deref()).unwrap();
            assert!(Arc::ptr_eq(
                &page,
                &paged_tools.page(cursor.as_deref()).unwrap()
            ));
            names.extend(page.tools.iter().map(|tool| tool.name.clone()));
            cursor = page.next_cursor.clone();
            if cursor.is_none() {
                break;
            }
        }
        let mut sorted = names.clone();
        sorted.dedup();
        assert_eq!((names.len(), sorted.len()), (PAGE * 2 + 1, PAGE * 2 + 1));
    }

    #[test]
    fn a_cursor_of_another_list_or_of_nobody_is_refused() {
        let paged_tools = paged_tools(PAGE + 1);
        for cursor in [
            "",
            "x",
            "%",
            "OC4x",
            "Ny45OTk",
            "Ny4tMQ",
            &"A".repeat(10_000),
        ] {
            assert!(paged_tools.page(Some(cursor)).is_err(), "{cursor}");
        }
        assert!(paged_tools.page(None).unwrap().next_cursor.is_some());
    }
}
