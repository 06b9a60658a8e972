//! `capsim seed`, as a process of its own, and what it says where there is no gateway.

use std::{net::SocketAddr, process::Output};

use tests::binary;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

async fn seed(gateway: &str) -> Output {
    Command::new(binary("capsim")).args(["seed", "--gateway", gateway]).output().await.unwrap()
}

/// What it says on standard error where it fails.
async fn refusal(gateway: &str) -> String {
    let output = seed(gateway).await;
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Greets whoever comes, as a server that is none for HTTP.
async fn mail_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail ESMTP\r\n").await;
        }
    });
    address
}

#[tokio::test]
async fn it_says_how_far_it_is_and_what_it_made_and_may_run_twice() {
    let system = crate::builder().start().await;
    let gateway = format!("http://{}/", system.gateway.address());
    for new in
        ["New: 30 listings, 6 purchases, 7 channels, 18 posts.", "New: 0 listings, 0 purchases, 0 channels, 0 posts."]
    {
        let output = seed(&gateway).await;
        let [said, progress] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success() && said.contains(new), "{said}{progress}");
        assert!(said.contains("ada") && said.contains("'correct horse'"), "{said}");
        let lines: Vec<_> = progress.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            ["people: 6 of 6", "listings: 30 of 30", "purchases: 6 of 6", "channels: 7 of 7", "posts: 18 of 18"]
        );
    }
}

#[tokio::test]
async fn where_there_is_no_gateway_it_says_what_there_is() {
    let system = crate::builder().start().await;
    let replica = refusal(&format!("http://{}", system.marketplace[0].address())).await;
    assert!(
        replica.contains("is no gateway") && replica.contains("404") && replica.contains("this port has gRPC"),
        "{replica}"
    );

    let mail = refusal(&format!("http://{}", mail_server().await)).await;
    assert!(mail.contains("does not speak HTTP"), "{mail}");

    // Port 1 of loopback is nobody's.
    let nobody = refusal("http://127.0.0.1:1").await;
    assert!(nobody.contains("nothing listens") && nobody.contains("http://127.0.0.1:1"), "{nobody}");

    let address = refusal("127.0.0.1:8000").await;
    assert!(address.contains("must be a URL such as"), "{address}");
}
