//! Segments: named rules that say which contacts belong together. They are kept by the host; whose
//! they are is the host's to know, and nothing here could name another customer's.

mod create_segment;
mod get_segment;
mod list_segments;
mod segment;
mod segment_store;
mod update_segment;

use toolhost_sdk::{Plugin, Tool};

/// The four tools.
pub fn plugin() -> Plugin {
    Plugin::new()
        .tool(
            Tool::new("list_segments", list_segments::list_segments)
                .title("List segments")
                .description(
                    "Lists the segments of the active organisation, oldest first, without their rules. Give \
                     `next_cursor` of one page as `cursor` to get the page after it.",
                )
                .read_only(),
        )
        .tool(
            Tool::new("get_segment", get_segment::get_segment)
                .title("Get a segment")
                .description("Shows one segment of the active organisation by its id, with its rules.")
                .read_only(),
        )
        .tool(
            Tool::new("create_segment", create_segment::create_segment)
                .title("Create a segment")
                .description(
                    "Makes a segment in the active organisation. A contact belongs to it when all of its rules hold, \
                     or one of them, as `holds` says.",
                )
                .additive(),
        )
        .tool(
            Tool::new("update_segment", update_segment::update_segment)
                .title("Change a segment")
                .description(
                    "Changes a segment of the active organisation. What is left out stays as it is; `rules` replaces all \
                     of them. Give the `revision` that was read: the change is refused when somebody else was first.",
                )
                .destructive()
                .idempotent(),
        )
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml", schemas = built);
