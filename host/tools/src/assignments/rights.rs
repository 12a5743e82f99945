use std::sync::Arc;

use toolhost_policy::OperationMode;

use super::{AssignmentRules, DefaultAssignment, TenantAssignments};
use crate::ToolEntry;

/// What one tenant may call.
#[derive(Debug)]
pub(crate) struct TenantRights {
    rules: Arc<AssignmentRules>,
    of_tenant: TenantAssignments,
}

impl TenantRights {
    pub(crate) fn new(rules: Arc<AssignmentRules>, of_tenant: TenantAssignments) -> Self {
        Self { rules, of_tenant }
    }

    /// How far the tool may go for this tenant: the narrowest of all that is said. `None` where the
    /// tenant does not have it.
    pub(crate) fn mode(&self, tool: &ToolEntry) -> Option<OperationMode> {
        let own = self.of_tenant.plugins.get(&tool.plugin);
        let has = match own {
            Some(assignment) => assignment.has(&tool.name),
            None => self.rules.default_for(&tool.plugin) == DefaultAssignment::All,
        };
        let said = [self.of_tenant.mode, own.and_then(|own| own.mode)];
        has.then(|| {
            said.into_iter()
                .flatten()
                .fold(self.rules.mode, OperationMode::narrowest)
        })
    }

    /// How much is remembered: names.
    pub(crate) fn size(&self) -> usize {
        let names = |assignment: &super::Assignment| match &assignment.tools {
            super::ToolChoice::All => 1,
            super::ToolChoice::Only(tools) => 1 + tools.len(),
        };
        self.of_tenant.plugins.values().map(names).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use toolhost_policy::{OperationMode, PluginName};

    use super::TenantRights;
    use crate::ToolEntry;
    use crate::assignments::{
        Assignment, AssignmentRules, DefaultAssignment, TenantAssignments, ToolChoice,
    };
    use crate::entry::test_tool;

    fn tool(plugin: &str, name: &str) -> ToolEntry {
        ToolEntry::new(&PluginName::parse(plugin).unwrap(), test_tool(name)).unwrap()
    }

    fn mode_of(
        rules: AssignmentRules,
        own: Option<Assignment>,
        tenant: Option<OperationMode>,
    ) -> Option<OperationMode> {
        let billing = PluginName::parse("billing").unwrap();
        let of_tenant = TenantAssignments {
            plugins: own.into_iter().map(|own| (billing.clone(), own)).collect(),
            mode: tenant,
        };
        TenantRights::new(Arc::new(rules), of_tenant).mode(&tool("billing", "list"))
    }

    fn rules(plugins: DefaultAssignment) -> AssignmentRules {
        AssignmentRules {
            plugins,
            by_plugin: BTreeMap::new(),
            mode: OperationMode::Full,
        }
    }

    fn only(tools: &[&str]) -> Assignment {
        Assignment {
            tools: ToolChoice::Only(
                tools
                    .iter()
                    .map(|&tool| tool.to_owned())
                    .collect::<BTreeSet<_>>(),
            ),
            mode: None,
        }
    }

    #[test]
    fn what_is_said_of_a_tenant_stands_before_what_is_said_of_all() {
        let full = Some(OperationMode::Full);
        assert_eq!(mode_of(rules(DefaultAssignment::All), None, None), full);
        assert_eq!(
            mode_of(rules(DefaultAssignment::Assigned), None, None),
            None
        );
        assert_eq!(
            mode_of(
                rules(DefaultAssignment::Assigned),
                Some(only(&["list"])),
                None
            ),
            full
        );
        for narrow in [
            only(&["other"]),
            only(&["List", "lis", "list ", "billing.list"]),
            Assignment::none(),
        ] {
            assert_eq!(
                mode_of(rules(DefaultAssignment::All), Some(narrow.clone()), None),
                None,
                "{narrow:?}"
            );
        }
        let mut by_plugin = rules(DefaultAssignment::All);
        by_plugin.by_plugin.insert(
            PluginName::parse("billing").unwrap(),
            DefaultAssignment::Assigned,
        );
        assert_eq!(mode_of(by_plugin, None, None), None);
        assert_eq!(
            mode_of(AssignmentRules::default(), None, None),
            None,
            "nothing was said"
        );
    }

    #[test]
    fn the_narrowest_mode_wins_wherever_it_is_said() {
        use OperationMode::{Full, ReadOnly, Standard};
        for (host, tenant, own) in [
            (ReadOnly, Some(Full), Some(Full)),
            (Full, Some(ReadOnly), Some(Standard)),
            (Full, None, Some(ReadOnly)),
            (Standard, Some(ReadOnly), None),
        ] {
            let rules = AssignmentRules {
                mode: host,
                ..rules(DefaultAssignment::All)
            };
            let assignment = Assignment {
                tools: ToolChoice::All,
                mode: own,
            };
            assert_eq!(
                mode_of(rules, Some(assignment), tenant),
                Some(ReadOnly),
                "{host} {tenant:?} {own:?}"
            );
        }
    }
}
