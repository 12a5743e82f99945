use serde::Serialize;
use toolhost_admin::{ResealAnswer, RotateKey, RotateMasterKey};

use crate::admin_access::AdminAccess;
use crate::args::{KeyCommand, OutputFormat};
use crate::output::{self, Show, head};

/// Carries out `host key …`.
pub(super) fn run(command: &KeyCommand, format: OutputFormat) -> anyhow::Result<()> {
    let KeyCommand::Rotate(args) = command;
    let reach = AdminAccess::find(&args.kept)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let ResealAnswer { count, generation } = runtime.block_on(async {
        match args.master {
            true => reach.ask(RotateMasterKey {}, None).await,
            false => {
                let tenant = args.tenant.clone();
                reach.ask(RotateKey { tenant }, None).await
            }
        }
    })?;
    let key = match (&args.tenant, args.master) {
        (_, true) => "the master key".to_owned(),
        (Some(tenant), false) => format!("the key of tenant {tenant}"),
        (None, false) => "the key of the host's space".to_owned(),
    };
    let rotated = KeyRotateOutput {
        key,
        generation,
        count,
    };
    output::show(format, &rotated)
}

#[derive(Serialize)]
struct KeyRotateOutput {
    key: String,
    generation: u32,
    count: u64,
}

impl Show for KeyRotateOutput {
    fn text(&self) -> String {
        format!("{} is another one; {} sealed anew", self.key, self.count)
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = vec![
            self.key.clone(),
            self.generation.to_string(),
            self.count.to_string(),
        ];
        (head(&["key", "generation", "sealed anew"]), vec![cells])
    }
}
