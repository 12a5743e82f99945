use serde::Serialize;

/// What visitors did.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Traffic {
    organisation: &'static str,
    days: u32,
    visits: u32,
    tickets: u32,
}

/// What campaigns cost.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spend {
    organisation: &'static str,
    days: u32,
    spend_cents: u32,
    currency: &'static str,
    clicks: u32,
}

/// A day of one tenant, which was as every other day.
struct Day {
    organisation: &'static str,
    visits: u32,
    tickets: u32,
    spend_cents: u32,
    clicks: u32,
}

fn day(tenant: &str) -> Option<Day> {
    let (organisation, visits, tickets, spend_cents, clicks) = match tenant {
        "riviera" => ("Riviera Live", 410, 0, 12_000, 95),
        "riviera-barcelona" => ("Riviera Barcelona", 2_380, 164, 48_550, 1_310),
        "riviera-lisbon" => ("Riviera Lisbon", 1_145, 71, 20_075, 602),
        "harbour" => ("Harbour Nights", 77, 3, 0, 0),
        _ => return None,
    };
    Some(Day {
        organisation,
        visits,
        tickets,
        spend_cents,
        clicks,
    })
}

/// What the analytics know of a tenant.
pub(crate) fn traffic(tenant: &str, days: u32) -> Option<Traffic> {
    day(tenant).map(|day| Traffic {
        organisation: day.organisation,
        days,
        visits: day.visits.saturating_mul(days),
        tickets: day.tickets.saturating_mul(days),
    })
}

/// What paid media know of a tenant.
pub(crate) fn spend(tenant: &str, days: u32) -> Option<Spend> {
    day(tenant).map(|day| Spend {
        organisation: day.organisation,
        days,
        spend_cents: day.spend_cents.saturating_mul(days),
        currency: "EUR",
        clicks: day.clicks.saturating_mul(days),
    })
}

#[cfg(test)]
mod tests {
    use super::{spend, traffic};

    #[test]
    fn figures_are_one_tenants_and_nobody_elses() {
        let barcelona = traffic("riviera-barcelona", 7).unwrap();
        assert_eq!((barcelona.visits, barcelona.tickets), (16_660, 1_148));
        assert_ne!(spend("riviera", 7), spend("riviera-lisbon", 7));
        assert!(traffic("riviera-porto", 7).is_none() && spend("", 7).is_none());
    }
}
