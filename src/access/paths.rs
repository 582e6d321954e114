//! The paths that everybody may see without anybody being asked.
//!
//! Source: `pkg/authorization/path/path.go` of `k8s.io/apiserver`. There any path will do, and with `/*` nobody is asked
//! for anything; here only those can be named that show nothing but this process.

/// Exact paths, and the beginnings of others.
#[derive(Debug, Clone)]
pub struct AlwaysAllowed(Vec<AllowedPath>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPath {
    path: String,
    /// Whether what is below it is allowed, rather than itself.
    below: bool,
}

/// `AlwaysAllowPaths` of `pkg/server/options/authorization.go`.
impl Default for AlwaysAllowed {
    fn default() -> Self {
        let exact = |path: &&str| AllowedPath { path: (*path).to_owned(), below: false };
        Self(["/healthz", "/readyz", "/livez"].iter().map(exact).collect())
    }
}

impl AlwaysAllowed {
    /// These, and no others.
    pub fn new(paths: Vec<AllowedPath>) -> Self {
        Self(paths)
    }

    /// Whether a decoded path is one of them.
    pub(super) fn allows(&self, path: &str) -> bool {
        self.0.iter().any(|allowed| match path.strip_prefix(&allowed.path) {
            Some(rest) if allowed.below => rest.starts_with('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        })
    }
}

impl AllowedPath {
    /// Reads `/path`, or `/path/*` for what is below it; `None` for what may not be allowed to everybody.
    pub fn parse(text: &str) -> Option<Self> {
        let path = format!("/{}", text.strip_prefix('/').unwrap_or(text));
        let (path, below) = path.strip_suffix("/*").map_or((&*path, false), |path| (path, true));
        let root = path.split('/').nth(1)?;
        (OPEN.contains(&root) && !path.contains('*')).then(|| Self { path: path.to_owned(), below })
    }
}

const OPEN: [&str; 5] = ["healthz", "livez", "readyz", "version", "metrics"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_process_itself_can_be_opened() {
        for refused in [
            "",
            "/",
            "*",
            "/*",
            "/apis",
            "/apis/*",
            "/openapi/v2",
            "/health*",
            "/healthz*",
            "/healthz/*/x",
            "//healthz",
        ] {
            assert_eq!(AllowedPath::parse(refused), None, "{refused}");
        }
        let open = |paths: &[&str]| {
            AlwaysAllowed::new(paths.iter().map(|path| AllowedPath::parse(path).unwrap()).collect())
        };
        let some = open(&["/readyz/*", "metrics", "/healthz/ping"]);
        for (path, allowed) in [
            ("/readyz", false),
            ("/readyz/ping", true),
            ("/readyzz", false),
            ("/metrics", true),
            ("/metrics/slis", false),
            ("/healthz/ping", true),
            ("/healthz", false),
            ("/apis", false),
        ] {
            assert_eq!(some.allows(path), allowed, "{path}");
        }
        assert!(AlwaysAllowed::default().allows("/livez") && !AlwaysAllowed::default().allows("/livez/ping"));
        assert!(!open(&[]).allows("/livez"));
    }
}
