//! Traffic, and what campaigns cost. Whose they are is decided by the two systems, from what the
//! host adds to a request.

mod campaign_spend;
mod period;
mod traffic_report;

use toolhost_sdk::{Plugin, Tool};

/// The two tools.
pub fn plugin() -> Plugin {
    Plugin::new()
        .tool(
            Tool::new("traffic_report", traffic_report::traffic_report)
                .title("Traffic")
                .description(
                    "Shows how often the pages of the active organisation were visited, and how many tickets were \
                     sold, over the last days.",
                )
                .read_only(),
        )
        .tool(
            Tool::new("campaign_spend", campaign_spend::campaign_spend)
                .title("Cost of campaigns")
                .description(
                    "Shows what the campaigns of the active organisation cost over the last days. Amounts are in cents.",
                )
                .read_only(),
        )
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml", schemas = built);
