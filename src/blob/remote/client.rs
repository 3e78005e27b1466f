//! The clients, one for each bucket, and the runtime that they share.
//!
//! Whoever reads an object waits for it on its own thread; the runtime's threads only serve connections. So it may be
//! asked from any thread but its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::{ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use tokio::runtime::Runtime;

use super::address::{Address, Kind};
use super::{fault, wording};

/// Connections are served by so many threads; what they bring is waited for elsewhere.
const THREADS: usize = 2;
/// How long the search for credentials may take.
const CREDENTIALS: Duration = Duration::from_secs(10);
/// No answer takes longer than this, in seconds, as long as something of it comes.
const LONGEST_S: u64 = 24 * 3600;

pub(super) struct Clients {
    runtime: Runtime,
    stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    /// What all web servers are asked with.
    web: Connector,
    /// How long a connection may be silent.
    silence: Duration,
}

impl Clients {
    pub(super) fn new(silence: Duration) -> io::Result<Self> {
        // Fails if another has been chosen before, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("remote")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            stores: Mutex::default(),
            web: Connector::default(),
            silence,
        })
    }

    pub(super) fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// The client of a bucket, made when it is asked for first.
    pub(super) fn of(&self, address: &Address) -> io::Result<Arc<dyn ObjectStore>> {
        // Held while a client is made, so that many readers do not look for the same credentials.
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(&address.store) {
            return Ok(Arc::clone(store));
        }
        let store = self.make(address)?;
        // A signed URL is a server of its own.
        if address.kind != Kind::Http || !address.store.contains('?') {
            stores.insert(address.store.clone(), Arc::clone(&store));
        }
        Ok(store)
    }

    fn make(&self, address: &Address) -> io::Result<Arc<dyn ObjectStore>> {
        let bad = |error: object_store::Error| wording::not_made(address, &error);
        let silence = format!("{} ms", self.silence.as_millis());
        let longest = format!("{LONGEST_S} s");
        // Tried again here rather than there: see `retry`.
        let retry = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        match address.kind {
            Kind::S3 => {
                let store = AmazonS3Builder::from_env()
                    .with_config(
                        AmazonS3ConfigKey::Client(ClientConfigKey::ReadTimeout),
                        silence,
                    )
                    .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), longest)
                    .with_url(&address.store)
                    .with_retry(retry)
                    .with_http_connector(Connector::default());
                check_endpoint(address)?;
                let signs = !is_true(store.get_config_value(&AmazonS3ConfigKey::SkipSignature));
                let store = store.build().map_err(bad)?;
                if signs {
                    self.credentials(address, store.credentials().get_credential())?;
                }
                Ok(Arc::new(store))
            }
            Kind::Gcs => {
                let store = GoogleCloudStorageBuilder::from_env()
                    .with_config(
                        GoogleConfigKey::Client(ClientConfigKey::ReadTimeout),
                        silence,
                    )
                    .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), longest)
                    .with_url(&address.store)
                    .with_retry(retry)
                    .with_http_connector(Connector::default());
                let signs = !is_true(store.get_config_value(&GoogleConfigKey::SkipSignature));
                let store = store.build().map_err(bad)?;
                if signs {
                    self.credentials(address, store.credentials().get_credential())?;
                }
                Ok(Arc::new(store))
            }
            Kind::Azure => {
                let store = MicrosoftAzureBuilder::from_env()
                    .with_config(
                        AzureConfigKey::Client(ClientConfigKey::ReadTimeout),
                        silence,
                    )
                    .with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), longest)
                    .with_url(&address.store)
                    .with_retry(retry)
                    .with_http_connector(Connector::default());
                let signs = !is_true(store.get_config_value(&AzureConfigKey::SkipSignature));
                let store = store.build().map_err(bad)?;
                if signs {
                    self.credentials(address, store.credentials().get_credential())?;
                }
                Ok(Arc::new(store))
            }
            Kind::Http => {
                let options = ClientOptions::new()
                    .with_allow_http(true)
                    .with_read_timeout(self.silence)
                    .with_timeout(Duration::from_secs(LONGEST_S));
                let store = HttpBuilder::new()
                    .with_url(&address.store)
                    .with_client_options(options)
                    .with_retry(retry)
                    .with_http_connector(self.web.clone());
                Ok(Arc::new(store.build().map_err(bad)?))
            }
        }
    }

    /// Whether there are any: else each object would be asked for in vain, for as long as there is patience.
    fn credentials<T>(
        &self,
        address: &Address,
        found: impl Future<Output = object_store::Result<T>>,
    ) -> io::Result<()> {
        let found = self.wait_for(async { tokio::time::timeout(CREDENTIALS, found).await });
        match found {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(wording::no_credentials(address)),
        }
    }
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| {
        ["1", "true", "on", "yes", "y"].contains(&value.to_lowercase().as_str())
    })
}

/// An endpoint without encryption has to be wanted.
fn check_endpoint(address: &Address) -> io::Result<()> {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find(|name| std::env::var(name).is_ok_and(|value| value.starts_with("http://")));
    match endpoint {
        Some(name) if !is_true(std::env::var("AWS_ALLOW_HTTP").ok()) => Err(fault::of_machine(
            io::ErrorKind::InvalidInput,
            format!(
                "{}: {name} starts with http://, without encryption; set AWS_ALLOW_HTTP=true to allow it",
                address.shown()
            ),
        )),
        _ => Ok(()),
    }
}

/// What a server said last to an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    /// The status of its response.
    pub(super) status: u16,
    /// How long it asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

tokio::task_local! {
    static ANSWER: Cell<Option<Answer>>;
}

/// Does something with a client, and tells the last answer of a server to it: an [`object_store::Error`] has no status.
pub(super) async fn answered<T>(attempt: impl Future<Output = T>) -> (T, Option<Answer>) {
    ANSWER
        .scope(Cell::new(None), async {
            let result = attempt.await;
            (result, ANSWER.with(Cell::get))
        })
        .await
}

/// Makes clients that note the answers, and one for all that ask alike.
#[derive(Clone, Debug, Default)]
struct Connector {
    made: Arc<Mutex<HashMap<String, HttpClient>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{options:?}");
        if let Some(client) = made.get(&key) {
            return Ok(client.clone());
        }
        let client = HttpClient::new(Noting(ReqwestConnector::default().connect(options)?));
        made.insert(key, client.clone());
        Ok(client)
    }
}

struct Noting(HttpClient);

impl fmt::Debug for Noting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Noting")
    }
}

type Response<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Noting {
    fn call<'service, 'answer>(&'service self, request: HttpRequest) -> Response<'answer>
    where
        'service: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            // Of an earlier request nothing may be left if this one gets no answer.
            let _ = ANSWER.try_with(|answer| answer.set(None));
            let response = self.0.execute(request).await?;
            let retry_after = response.headers().get("retry-after");
            let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let answer = Answer {
                status: response.status().as_u16(),
                retry_after: seconds.map(Duration::from_secs),
            };
            // Not set where credentials are renewed outside of an attempt.
            let _ = ANSWER.try_with(|noted| noted.set(Some(answer)));
            Ok(response)
        })
    }
}
