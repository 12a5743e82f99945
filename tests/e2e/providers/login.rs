use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use toolhost_harness::{LeakDetector, host};

use crate::providers::servers::Accounts;
use crate::providers::{World, connection};

const SECRET: &str = "a-secret-of-the-client-0123";

/// A browser that keeps one cookie and follows nothing by itself.
struct Browser {
    client: reqwest::Client,
    cookie: Option<String>,
}

struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the page's form.
    fn field(&self, name: &str) -> String {
        let before = format!("name=\"{name}\" value=\"");
        let (_, rest) = self
            .text
            .split_once(&before)
            .unwrap_or_else(|| panic!("{}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    fn new() -> Self {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            cookie: None,
        }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let response = request.send().await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    async fn get(&mut self, url: &str) -> Page {
        self.send(self.client.get(url)).await
    }

    async fn submit(&mut self, page: &Page, url: &str) -> Page {
        let fields = ["ticket", "check"].map(|name| format!("{name}={}", page.field(name)));
        let request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(fields.join("&"));
        self.send(request).await
    }
}

struct Login {
    world: World,
    accounts: Accounts,
    page: String,
}

impl Login {
    async fn start() -> Self {
        let port = host::free_port();
        let redirect = format!("http://127.0.0.1:{port}/connections/billing/callback");
        let accounts = tokio::task::block_in_place(|| Accounts::start(SECRET, &redirect));
        let lines = format!(
            "description = \"Invoices <b>of yours</b>\"\ncredentials = \"accounts\"\n[providers.accounts]\nkind = \"oauth2-login\"\nissuer = \"{issuer}\"\nauthorization_url = \"{issuer}/auth\"\ntoken_url = \"{issuer}/token\"\nclient_id = \"toolhost\"\nclient_secret_file = \"own.secret\"\nscope = [\"openid\"]\nallow_http = true\nallow_loopback = true\n[data]\ndir = \"data\"",
            issuer = accounts.issuer
        );
        let world = World::start(|builder, url| {
            builder
                .port(port)
                .file("own.secret", SECRET)
                .config(&connection(url, &lines))
        })
        .await;
        Self {
            page: format!("http://127.0.0.1:{port}/connections/billing/login"),
            world,
            accounts,
        }
    }

    fn token(&self, subject: &str) -> String {
        self.world
            .issuer
            .mint(&json!({ "tenantId": "acme", "sub": subject }))
    }

    async fn invoices(&self, subject: &str) -> (u16, Value) {
        self.world
            .call_as(self.token(subject), "list_invoices", json!({}))
            .await
    }

    /// A link for a user.
    async fn link(&self, subject: &str) -> String {
        let request = reqwest::Client::new()
            .post(self.world.host.at("/api/v1/connections/billing/login"))
            .bearer_auth(self.token(subject));
        let link: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&link["tenant"], &link["subject"]),
            (&json!("acme"), &json!(subject)),
            "{link}"
        );
        link["url"].as_str().unwrap().to_owned()
    }

    /// Says yes on a link's page; where the browser is sent.
    async fn agree(&self, browser: &mut Browser, link: &str) -> url::Url {
        let page = browser.get(link).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let sent = browser.submit(&page, &self.page).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent.headers[LOCATION].to_str().unwrap().parse().unwrap()
    }

    fn visit(&mut self, url: &url::Url) -> String {
        tokio::task::block_in_place(|| self.accounts.visit(url)).to_string()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_connects_an_account_of_their_own_and_nobody_else_has_it() {
    let mut login = Login::start().await;
    let (status, refused) = login.invoices("alice").await;
    assert_eq!((status, &refused["code"]), (424, &json!("not_connected")));
    assert!(
        refused["detail"].as_str().unwrap().contains(&login.page),
        "{refused}"
    );

    let (mut browser, link) = (Browser::new(), login.link("alice").await);
    let page = browser.get(&link).await;
    for text in [
        "billing",
        "acme",
        "alice",
        "https://issuer.test",
        "openid",
        &login.accounts.issuer,
    ] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    assert!(
        page.text.contains("&lt;b&gt;")
            && !page.text.contains("<b>")
            && !page.text.contains("<script")
    );
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(page.header("x-frame-options"), "DENY");
    let cookie = page.header("set-cookie");
    for part in [
        "__Host-",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/;",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let sent = login.agree(&mut browser, &link).await;
    let back = login.visit(&sent);
    let done = browser.get(&back).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(login.invoices("alice").await.0, 200);
    assert_eq!(
        login.invoices("bob").await.0,
        424,
        "another user of the tenant has none"
    );

    // Neither the link nor the answer counts twice.
    assert_eq!(browser.get(&link).await.status, 410);
    assert_eq!(browser.get(&back).await.status, 400);

    let remove = [
        "credential",
        "remove",
        "acme/billing",
        "--user-issuer",
        "https://issuer.test",
        "--user-subject",
        "alice",
    ];
    assert_eq!(login.world.host.verb(&remove).status, 0);
    assert_eq!(login.invoices("alice").await.0, 424);

    let code = back.parse::<url::Url>().unwrap();
    let code = code
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let ticket = link.split("ticket=").nth(1).unwrap();
    let detector = LeakDetector::new([SECRET, &code, ticket]);
    let export = login.world.host.verb(&["audit", "export", "acme"]);
    for text in [login.world.host.log(), export.stdout, done.text] {
        assert_eq!(detector.find(text.as_bytes()), None, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t46_an_answer_is_taken_from_the_browser_that_was_sent_away_and_from_no_other() {
    let mut login = Login::start().await;
    let (mut mallory, link) = (Browser::new(), login.link("mallory").await);
    let sent = login.agree(&mut mallory, &link).await;
    let back = login.visit(&sent);
    // Alice is made to open the answer that mallory got, without a login of her own and in the
    // middle of one.
    assert_eq!(Browser::new().get(&back).await.status, 400);
    let (mut alice, link) = (Browser::new(), login.link("alice").await);
    let hers = login.agree(&mut alice, &link).await;
    assert_eq!(alice.get(&back).await.status, 400);
    assert_eq!(login.invoices("alice").await.0, 424);
    assert_eq!(login.invoices("mallory").await.0, 424);
    // Her own goes on: what somebody else sent her browser is no answer to it.
    let back = login.visit(&hers);
    assert_eq!(alice.get(&back).await.status, 200);
    assert_eq!(login.invoices("alice").await.0, 200);
    assert_eq!(login.invoices("mallory").await.0, 424);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_of_another_site_a_stranger_and_another_server_connect_nothing() {
    let mut login = Login::start().await;
    let (mut browser, link) = (Browser::new(), login.link("alice").await);
    let page = browser.get(&link).await;
    let post = |fields: String| {
        let request = browser.client.post(&login.page).body(fields);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let (ticket, check) = (page.field("ticket"), page.field("check"));
    let cookie = browser.cookie.clone().unwrap();
    let without = post(format!("ticket={ticket}&check={check}"))
        .send()
        .await
        .unwrap();
    assert_eq!(without.status(), 400, "no cookie");
    let forged = post(format!("ticket={ticket}&check={ticket}")).header("cookie", &cookie);
    assert_eq!(forged.send().await.unwrap().status(), 403, "CSRF");
    let from = post(format!("ticket={ticket}&check={check}"))
        .header("cookie", &cookie)
        .header("origin", "https://evil.example");
    assert_eq!(from.send().await.unwrap().status(), 403);

    // The link is still good: nothing of that used it up. An answer of another server is refused
    // (RFC 9207).
    let sent = login.agree(&mut browser, &link).await;
    let mut back: url::Url = login.visit(&sent).parse().unwrap();
    let pairs: Vec<_> = back
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    back.query_pairs_mut()
        .clear()
        .extend_pairs(pairs.iter().map(|(name, value)| {
            (
                name,
                if name == "iss" {
                    "https://evil.example"
                } else {
                    value.as_str()
                },
            )
        }));
    assert_eq!(browser.get(back.as_str()).await.status, 400);
    assert_eq!(login.invoices("alice").await.0, 424);

    let anonymous =
        reqwest::Client::new().post(login.world.host.at("/api/v1/connections/billing/login"));
    assert_eq!(anonymous.send().await.unwrap().status(), 401);
    for path in [
        "/connections/other/login",
        "/connections/..%2fbilling/login",
        "/connections/other/callback",
    ] {
        assert_eq!(
            browser.get(&login.world.host.at(path)).await.status,
            404,
            "{path}"
        );
    }
    assert_eq!(
        browser.get(&login.page).await.status,
        400,
        "a page without a link connects nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verb_prints_a_link_and_waits_until_it_was_used() {
    let mut login = Login::start().await;
    host::write(
        login.world.host.directory(),
        "alice.jwt",
        login.token("alice"),
    );
    let verb = [
        "connection",
        "login",
        "billing",
        "--as",
        "@alice.jwt",
        "--wait",
        "--output",
        "json",
    ];
    let mut child = host::command(login.world.host.directory(), &verb)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut text = String::new();
    let link: Value = loop {
        text.push_str(&lines.next().unwrap().unwrap());
        if let Ok(link) = serde_json::from_str(&text) {
            break link;
        }
    };
    assert_eq!(
        (&link["subject"], &link["connection"]),
        (&json!("alice"), &json!("billing"))
    );
    let mut browser = Browser::new();
    let sent = login
        .agree(&mut browser, link["url"].as_str().unwrap())
        .await;
    let back = login.visit(&sent);
    assert_eq!(browser.get(&back).await.status, 200);
    let last = lines.next().unwrap().unwrap();
    assert!(last.contains("connected"), "{last}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(login.invoices("alice").await.0, 200);
}
