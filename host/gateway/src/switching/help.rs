/// What help is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Topic {
    Workflows,
    Errors,
    Tenancy,
}

impl Topic {
    pub(crate) const ALL: [Self; 3] = [Self::Workflows, Self::Errors, Self::Tenancy];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::Errors => "errors",
            Self::Tenancy => "tenancy",
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Workflows => {
                "To work for another tenant: 1. list_tenants shows the ids. 2. switch_tenant with tenantId; compare active_tenant_id in its answer. 3. If the answer has a tenant_context, send it with every call for that tenant. 4. Call tools. 5. reset_tenant goes back. To be sure of the tenant of one call, set _meta toolhost/expect_tenant: it is refused if another one is active."
            }
            Self::Errors => {
                "tenant_unavailable: the tenant does not exist or is not yours; list_tenants shows which are. tenant_required: your login names no tenant; switch to one first. home_tenant_unavailable: there is no tenant to go back to. tenant_mismatch: another tenant is active than the call expects; nothing was done. input_unsupported: the person must confirm a switch and this client cannot ask. not_found for tenant_context: it is over or not yours; switch again. operation_mode_blocked: the operator lets this tenant's tools do less than this; nothing you send changes that. A switch that fails changes nothing."
            }
            Self::Tenancy => {
                "Every call is for one tenant, the active one. It begins as the tenant of your login. An admin reaches its own tenant, an owner also all below it, a superadmin all. Which tenants you reach comes from your login and not from the active tenant. A switch holds for this session or tenant context alone; other sessions stay where they are."
            }
        }
    }
}
