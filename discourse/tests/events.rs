//! Acts by gRPC, on real ports, arrive in the log.

use std::{collections::HashSet, sync::Arc, time::Duration};

use discourse::store::embedded::Embedded;
use events::{Event, Log, Publisher, Start, options::Options};
use kernel::{Clock, Secret, time};
use proto::discourse::{
    ChannelType, CreateChannelRequest, CreatePostRequest, Topic, discourse_client::DiscourseClient,
};
use runtime::identity::{Claims, Ended, SigningKeys, Verifier};
use storage::DataDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, transport::Channel};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// Two replicas on one store, in a directory of the test's own.
struct Service {
    keys: SigningKeys,
    replicas: Vec<(String, CancellationToken, JoinHandle<anyhow::Result<()>>)>,
    log: Arc<dyn Log>,
    _directory: tempfile::TempDir,
}

impl Service {
    async fn start(amqp_url: Option<Secret>) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), false).expect("ours");
        let store = Arc::new(Embedded::open(&data_dir, &storage::idempotency::Options::default()).expect("opens"));
        let options = Options { amqp_url, ..Options::default() };
        let publisher = options.publisher("discourse-1", || Ok(data_dir)).expect("a log");
        let keys = SigningKeys::load(&SigningKeys::generate().expect("a key")).expect("keys");
        let log = Arc::clone(&publisher.log);
        let mut service = Self { keys, replicas: Vec::new(), log, _directory: directory };
        for number in 1..=2 {
            service.serve(format!("discourse-{number}"), Arc::clone(&store), publisher.clone()).await;
        }
        service
    }

    async fn serve(&mut self, name: String, store: Arc<Embedded>, publisher: Publisher) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address").to_string();
        let verifier = Verifier::new(self.keys.jwks(), Clock::system(), Ended::default()).expect("keys");
        let stop = CancellationToken::new();
        let served = discourse::serve(listener, name, store, publisher, verifier, stop.clone());
        self.replicas.push((address, stop, tokio::spawn(served)));
    }

    async fn stop(&mut self, replica: usize) {
        let (_, stop, served) = self.replicas.remove(replica);
        stop.cancel();
        served.await.expect("no panic").expect("ends well");
    }

    async fn client(&self, replica: usize) -> DiscourseClient<Channel> {
        DiscourseClient::connect(format!("http://{}", self.replicas[replica].0)).await.expect("connects")
    }

    /// A request of somebody, in a trace.
    fn request<T>(&self, trace: &str, message: T) -> Request<T> {
        let now = time::now().timestamp();
        let (sub, jti) = (Uuid::from_u128(7), Uuid::new_v4());
        let claims =
            Claims { sub, username: "ada".to_owned(), roles: vec![], jti, generation: 1, iat: now, exp: now + 600 };
        let token = self.keys.sign(&claims).expect("signs");
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {token}").parse().expect("text"));
        metadata.insert("traceparent", trace.parse().expect("text"));
        request
    }

    /// What a replica, or one of them, says of its outbox.
    async fn outbox_metrics(&self) -> HashSet<String> {
        let mut lines = HashSet::new();
        for (address, ..) in &self.replicas {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            let ask = b"GET /metrics HTTP/1.1\r\nhost: discourse\r\nconnection: close\r\n\r\n";
            stream.write_all(ask).await.expect("asks");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("answers");
            lines.extend(answer.lines().filter(|line| line.starts_with("outbox_")).map(str::to_owned));
        }
        lines
    }
}

/// Opens a channel at the first replica and posts in it at the last, in a trace, and reads on until both are in the log.
async fn acts_arrive(service: &Service, replay: &mut dyn events::Replay) {
    let trace = format!("00-{}-b7ad6b7169203331-01", Uuid::new_v4().simple());
    let open = CreateChannelRequest {
        name: "agora".to_owned(),
        r#type: ChannelType::Private.into(),
        ..CreateChannelRequest::default()
    };
    let opened = service.client(0).await.create_channel(service.request(&trace, open)).await.expect("opens");
    let channel_id = opened.into_inner().channel.expect("there").id;
    let post = CreatePostRequest {
        channel_id,
        content: "hear, hear".to_owned(),
        topic: Topic::General.into(),
        idempotency_key: Some("key-".to_owned() + &trace),
        ..CreatePostRequest::default()
    };
    let mut client = service.client(service.replicas.len() - 1).await;
    for _ in 0..2 {
        client.create_post(service.request(&trace, post.clone())).await.expect("posts");
    }
    let mut told: Vec<Event> = Vec::new();
    let read = async {
        while told.len() < 2 {
            // The log may be found anew.
            let Ok(entries) = replay.next(100).await else { continue };
            let ours = |event: &Event| event.traceparent.as_deref() == Some(&trace);
            for event in entries.into_iter().map(|entry| entry.event).filter(ours) {
                // At least once.
                if told.iter().all(|known| known.id != event.id) {
                    told.push(event);
                }
            }
        }
    };
    timeout(PATIENCE, read).await.expect("they arrive");
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["channel.created", "post.created"]);
    assert!(told.iter().all(|event| event.audience.to_string() == format!("channel:{channel_id}")), "{told:?}");
    assert_eq!(told[1].sequence, told[0].sequence.map(|number| number + 1), "the retry told nothing");
}

async fn acts_arrive_from_whichever_replica_is_left(amqp_url: Option<Secret>) {
    let mut service = Service::start(amqp_url).await;
    let mut replay = service.log.replay(Start::Next).await.expect("replays");
    acts_arrive(&service, &mut *replay).await;
    let emptied = async {
        let expected = HashSet::from(["outbox_pending 0".to_owned(), "outbox_oldest_seconds 0".to_owned()]);
        while service.outbox_metrics().await != expected {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, emptied).await.expect("the one that has the lease says so");
    service.stop(0).await;
    acts_arrive(&service, &mut *replay).await;
    service.stop(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_arrive_in_the_embedded_log() {
    acts_arrive_from_whichever_replica_is_left(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_arrive_on_a_broker() {
    let url = std::env::var("TEST_AMQP_URL")
        .expect("TEST_AMQP_URL is not set: `make test` starts a throw-away RabbitMQ and sets it");
    acts_arrive_from_whichever_replica_is_left(Some(url.into())).await;
}
