//! The program; everything it does is in the library.

use std::process::ExitCode;

use cert_manager_webhook_cloudflare::app;
use cert_manager_webhook_cloudflare::cli::{Cli, Command};
use clap::Parser;
use mimalloc::MiMalloc;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one TLS stack, for every client and server in here. It fails only if one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let result =
        Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
            let Command::Serve(settings) = cli.command;
            let result = runtime.block_on(app::serve(*settings));
            // A file system that hangs must not keep the process.
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the log may not have been started")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
