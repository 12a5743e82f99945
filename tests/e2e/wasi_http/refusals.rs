use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_exactly_the_granted_one_reaches_nothing() {
    let scene = scene().await;
    let address = scene.echo.url();
    let address = address.strip_prefix("http://").unwrap();
    for url in [
        "http://echo.test@evil.test/echo",
        "http://evil.test@echo.test/echo",
        "http://user:password@echo.test/echo",
        "http://echo.test:81/echo",
        "http://echo.test:0/echo",
        "http://echo.test:99999/echo",
        "http://echo.test.evil.test/echo",
        "http://evil.test/echo",
        "http://ECHO.test.:80/echo",
        "http://echo.test./echo",
        "http://echo.test%2f@evil.test/echo",
        "http://echo.test\\@evil.test/echo",
        "http://echo.test#@evil.test/echo",
        "http://[fe80::1%25eth0]/echo",
        "http://[::1]/echo",
        "http://127.0.0.1/echo",
        "http://169.254.169.254/echo",
        "http://[::ffff:127.0.0.1]/echo",
        "http://0x7f000001/echo",
        "http://localhost/echo",
        "http:///echo",
        "https://echo.test/echo",
        "ftp://echo.test/echo",
        "file:///etc/passwd",
        "ws://echo.test/echo",
        "http://echo.test /echo",
        "http://echo.test\u{0}/echo",
        "http://ｅcho.test/echo",
        "http://evil.test/http://echo.test/echo",
    ] {
        scene.refused(json!({"url": url})).await;
    }
    // The operator's own address is no name that a guest may use: it was granted a name.
    scene
        .refused(json!({"url": format!("http://{address}/echo")}))
        .await;
    for (authority, path) in [
        ("echo.test", "//evil.test/echo"),
        ("echo.test", "http://evil.test/echo"),
        ("echo.test", "http://echo.test/echo"),
        ("echo.test", "@evil.test/echo"),
        ("echo.test", ":80@evil.test/echo"),
        ("echo.test@evil.test", "/echo"),
        ("echo.test:80@evil.test", "/echo"),
        ("evil.test", "/echo"),
        ("", "/echo"),
        ("echo.test,evil.test", "/echo"),
        ("echo.test/", "/echo"),
        ("echo.test/echo?", "/echo"),
        ("echo.test", "echo"),
        ("echo.test", "*"),
        ("echo.test", "/echo HTTP/1.1\r\nx-evil: 1"),
        ("echo.test\r\nx-evil: 1", "/echo"),
    ] {
        scene
            .refused(json!({"scheme": "http", "authority": authority, "path_with_query": path}))
            .await;
    }
    for scheme in ["https", "HTTP ", "gopher", ""] {
        scene
            .refused(
                json!({"scheme": scheme, "authority": "echo.test", "path_with_query": "/echo"}),
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_method_query_or_header_that_was_not_granted_reaches_nothing() {
    let scene = scene().await;
    for path in [
        "/",
        "/admin",
        "/echo/",
        "/echo//a",
        "/echo/a/b",
        "/ECHO",
        "/echo/..",
        "/echo/../admin",
        "/echo/%2e%2e",
        "/echo/%2E%2e/admin",
        "/echo/a%2fb",
        "/echo/a%5cb",
        "/echo/%252e%252e",
        "/echo/a\\b",
        "/./admin",
        "//echo",
        "/echo/..%2fadmin",
        "/echo;x=1",
        "/echo?admin=1",
        "/echo?q=1&admin=1",
        "/echo?q=1&Q=2",
        "/echo?q=%ff",
        "/echo/%ff",
        "/echo?q",
        "/v1/invoices",
    ] {
        let url = format!("http://echo.test{path}");
        let before = scene.echo.seen().len();
        let answer = scene.fetch(json!({"url": url})).await;
        if answer.get("status").is_some() {
            // What a URL means after the standard's own cleaning may be granted; then that is what
            // went out.
            let uri = scene.echo.seen().last().unwrap().uri.clone();
            let is_granted = uri == "/echo"
                || uri.starts_with("/echo?q=")
                || (uri.starts_with("/echo/") && !uri[6..].contains('/'));
            assert!(
                is_granted && !uri.contains("..") && !uri.contains("admin"),
                "{path} became {uri}"
            );
        } else {
            assert_eq!(scene.echo.seen().len(), before, "{path} left the host");
        }
    }
    for method in [
        "DELETE",
        "HEAD",
        "PUT",
        "CONNECT",
        "TRACE",
        "OPTIONS",
        "get",
        "PROPFIND",
        "GET\r\nx: y",
        "",
    ] {
        scene
            .refused(json!({"url": "http://echo.test/echo", "method": method}))
            .await;
    }
    for name in [
        "authorization",
        "Authorization",
        "cookie",
        "set-cookie",
        "proxy-authorization",
        "x-forwarded-for",
        "forwarded",
        "via",
        "te",
        "trailer",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "http2-settings",
        "expect",
        "sec-fetch-site",
        "mcp-session-id",
        "x-http-method-override",
        "accept-encoding",
        "x-undeclared",
    ] {
        scene
            .refused(json!({"url": "http://echo.test/echo", "headers": [[name, "1"]]}))
            .await;
    }
    for value in ["a\r\nx-evil: 1", "a\nb", "a\u{0}b", "ż"] {
        scene
            .refused(json!({"url": "http://echo.test/echo", "headers": [["x-probe", value]]}))
            .await;
    }
    scene
        .refused(json!({"url": "http://echo.test/echo", "headers": [["x-probe", "1"], ["x-probe", "2"]]}))
        .await;
    let trailers = json!({"url": "http://echo.test/echo", "method": "POST", "body": "x", "trailers": [["x-probe", "1"]]});
    scene.refused(trailers).await;
}
