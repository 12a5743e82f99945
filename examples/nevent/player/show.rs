use serde_json::Value;

/// A line of a terminal.
const WIDTH: usize = 118;

/// The result of a tool, for people.
pub(super) fn result(tool: &str, result: &Value) {
    match tool {
        "help" => {
            for paragraph in text(result, "text").split("\n\n") {
                wrapped(paragraph);
            }
        }
        "list_tenants" => tenants(result),
        "switch_tenant" | "reset_tenant" => {
            for member in ["active_tenant_id", "previous_tenant_id", "home_tenant_id"] {
                println!("  {:<20} {}", format!("{member}:"), text(result, member));
            }
        }
        "list_segments" => segments(result),
        "traffic_report" => println!(
            "  {}, {} days: {} visits, {} tickets",
            text(result, "organisation"),
            result["days"],
            result["visits"],
            result["tickets"]
        ),
        "campaign_spend" => {
            let cents = result["spend_cents"].as_u64().unwrap_or_default();
            println!(
                "  {}, {} days: {}.{:02} {}, {} clicks",
                text(result, "organisation"),
                result["days"],
                cents / 100,
                cents % 100,
                text(result, "currency"),
                result["clicks"]
            );
        }
        _ => segment(result),
    }
}

/// Words of a text, in lines of a terminal.
pub(super) fn wrapped(text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            println!("  {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    println!("  {line}");
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or("none")
}

fn rows<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

fn tenants(result: &Value) {
    for tenant in rows(result, "tenants") {
        let mut notes = Vec::new();
        if let Some(parent) = tenant["parent_id"].as_str() {
            notes.push(format!("below {parent}"));
        }
        for (member, note) in [("home_tenant_id", "home"), ("active_tenant_id", "active")] {
            if result[member] == tenant["id"] {
                notes.push(note.to_owned());
            }
        }
        let line = format!(
            "  {:<18} {:<18} {}",
            text(tenant, "id"),
            text(tenant, "display_name"),
            notes.join(", ")
        );
        println!("{}", line.trim_end());
    }
}

fn segments(result: &Value) {
    if rows(result, "segments").is_empty() {
        println!("  none");
    }
    for row in rows(result, "segments") {
        println!(
            "  {}  {}  (rules: {}, revision {})",
            text(row, "id"),
            text(row, "name"),
            row["rules"],
            row["revision"]
        );
    }
}

fn segment(segment: &Value) {
    println!(
        "  {}  {}  (revision {})",
        text(segment, "id"),
        text(segment, "name"),
        segment["revision"]
    );
    for rule in rows(segment, "rules") {
        println!(
            "      {} {} {}",
            text(rule, "field"),
            text(rule, "operator"),
            text(rule, "value")
        );
    }
}
