//! The agent as a service of Windows: made, run and taken away through the service control manager.
//!
//! ```text
//! service manager ─ starts ─► landfall-agent service --root … ─► the watchdog, as `run` has it
//!                 ─ stop, shutdown ─► it ends what it looks after ─► stopped
//! ```
//!
//! Nobody reads a service's standard error there: what it says of itself is kept in a file of its home ([`log::keep`]).

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
    ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{Error, define_windows_service, service_dispatcher};

use crate::install::{NotInstalled, SERVICE, keep_program, manager};
use crate::log::{self, event};
use crate::settings::Home;
use crate::watchdog::{self, Standing};

/// How long its end may take: the worker and the payload are given time to end by themselves.
const ENDING: Duration = Duration::from_secs(60);
/// After what time it is started again, however it ended.
const AGAIN: Duration = Duration::from_secs(5);
/// What the service manager answers where there is no service of that name.
const NO_SUCH_SERVICE: i32 = 1060;

/// What the service runs: the service manager calls a function that takes no words of ours.
static ORDERS: OnceLock<(Home, Vec<OsString>)> = OnceLock::new();

define_windows_service!(entered, serve);

/// Makes a service that runs as the system, is started now and with the machine, and again whenever it ends by itself. One that is there
/// is ended first, and gets this program.
///
/// # Errors
/// When a step fails.
pub fn install(home: &Home, program: &Path) -> Result<Vec<String>, NotInstalled> {
    home.settings()?;
    home.prepare()?;
    let services = open(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let rights =
        ServiceAccess::CHANGE_CONFIG | ServiceAccess::START | ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
    let known = found(&services, rights)?;
    if let Some(service) = &known {
        stop(service)?;
    }
    let kept = keep_program(home, program)?;
    // Administrators and the system alone: whoever writes there decides what the system runs.
    manager(
        "icacls.exe",
        &[
            &home.root().display().to_string(),
            "/inheritance:r",
            "/grant:r",
            "*S-1-5-18:(OI)(CI)F",
            "*S-1-5-32-544:(OI)(CI)F",
        ],
    )?;
    let info = ServiceInfo {
        name: SERVICE.into(),
        display_name: "Landfall edge agent".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: kept.clone(),
        launch_arguments: vec!["service".into(), "--root".into(), home.root().as_os_str().to_owned()],
        dependencies: Vec::new(),
        // The system's.
        account_name: None,
        account_password: None,
    };
    let service = match known {
        Some(service) => service.change_config(&info).map(|()| service),
        None => services.create_service(&info, rights),
    }
    .map_err(refused("make the service"))?;
    service
        .set_description("Keeps this machine's programs as their server wants them")
        .map_err(refused("describe the service"))?;
    let again = ServiceAction { action_type: ServiceActionType::Restart, delay: AGAIN };
    service
        .update_failure_actions(ServiceFailureActions {
            reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(24 * 3600)),
            reboot_msg: None,
            command: None,
            // The last one counts for all that follow.
            actions: Some(vec![again.clone(), again.clone(), again]),
        })
        .map_err(refused("say when it is started again"))?;
    let with_errors = service.set_failure_actions_on_non_crash_failures(true);
    service.start::<OsString>(&[]).map_err(refused("start the service"))?;
    let mut done = vec![
        format!("the program is {}", kept.display()),
        format!("the service {SERVICE} runs, and starts with the machine"),
        format!("what it says of itself is in {}", home.log().display()),
    ];
    // Killed or crashed it is started again all the same.
    if let Err(error) = with_errors {
        done.push(format!("it is not started again where it says itself that it failed: {}", told(&error)));
    }
    Ok(done)
}

/// Takes the service away. The home, its credential and the data stay.
///
/// # Errors
/// When a step fails.
pub fn uninstall(home: &Home) -> Result<Vec<String>, NotInstalled> {
    let services = open(ServiceManagerAccess::CONNECT)?;
    let rights = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    let Some(service) = found(&services, rights)? else {
        return Ok(vec![format!("there is no service {SERVICE}")]);
    };
    stop(&service)?;
    service.delete().map_err(refused("take the service away"))?;
    Ok(vec![format!("took the service {SERVICE} away"), format!("{} stays", home.root().display())])
}

/// Sees to it that whatever this process starts from now on ends with it, also when it is killed: a payload that goes on by itself would be
/// in the way of the next one.
///
/// # Errors
/// When the system makes no job of it.
pub(crate) fn end_together() -> Result<(), win32job::JobError> {
    let mut limits = win32job::ExtendedLimitInfo::new();
    limits.limit_kill_on_job_close();
    let job = win32job::Job::create_with_limit_info(&limits)?;
    job.assign_current_process()?;
    // It is closed when this process ends, and not before: that would be its end, too.
    let _open = job.into_handle();
    Ok(())
}

/// Runs as the service, until the service manager ends it.
///
/// # Errors
/// When this process was not started by the service manager.
pub(crate) fn run(home: Home, own: &[OsString]) -> Result<(), NotInstalled> {
    log::keep(home.log());
    // Asked for once, in a process of its own.
    let _ = ORDERS.set((home, own.to_vec()));
    service_dispatcher::start(SERVICE, entered).map_err(refused("run as a service"))
}

/// The service, on a thread of the service manager's.
fn serve(_: Vec<OsString>) {
    let Some((home, own)) = ORDERS.get() else { return };
    let ended = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ended);
    let hears = service_control_handler::register(SERVICE, move |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            asked.store(true, Ordering::Relaxed);
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    });
    let manager = match hears {
        Ok(manager) => manager,
        Err(error) => return event("edge.runtime.fatal", &[("error", &told(&error))]),
    };
    let say = |state: ServiceState, exit_code: ServiceExitCode| {
        let controls_accepted = match state {
            ServiceState::Running => ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN,
            _ => ServiceControlAccept::empty(),
        };
        let wait_hint = if state == ServiceState::StopPending { ENDING } else { Duration::ZERO };
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted,
            exit_code,
            checkpoint: 0,
            wait_hint,
            process_id: None,
        };
        if let Err(error) = manager.set_service_status(status) {
            event("edge.service.unheard", &[("error", &told(&error))]);
        }
    };
    let well = ServiceExitCode::Win32(0);
    let run = watchdog::run_until(home, own, &ended, &|standing| match standing {
        Standing::Up => say(ServiceState::Running, well),
        Standing::Ending => say(ServiceState::StopPending, well),
        Standing::Alive => {}
    });
    let exit = match run {
        Ok(()) => well,
        Err(error) => {
            event("edge.runtime.fatal", &[("error", &error.to_string())]);
            ServiceExitCode::ServiceSpecific(1)
        }
    };
    say(ServiceState::Stopped, exit);
}

fn open(rights: ServiceManagerAccess) -> Result<ServiceManager, NotInstalled> {
    ServiceManager::local_computer(None::<&str>, rights).map_err(refused("ask the service manager"))
}

/// The service, if there is one.
fn found(services: &ServiceManager, rights: ServiceAccess) -> Result<Option<Service>, NotInstalled> {
    match services.open_service(SERVICE, rights) {
        Ok(service) => Ok(Some(service)),
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(NO_SUCH_SERVICE) => Ok(None),
        Err(error) => Err(refused("find the service")(error)),
    }
}

/// Ends the service, and gives once it has ended. It is asked more than once: one that is just starting does not hear it, and one that was
/// killed is known to have ended only later.
fn stop(service: &Service) -> Result<(), NotInstalled> {
    const LOOK: Duration = Duration::from_millis(200);
    let mut said = format!("it has not ended within {} seconds", ENDING.as_secs());
    for _ in 0..ENDING.as_millis() / LOOK.as_millis() {
        match service.query_status().map_err(refused("look at the service"))?.current_state {
            ServiceState::Stopped => return Ok(()),
            ServiceState::StopPending => {}
            _ => {
                if let Err(error) = service.stop() {
                    said = told(&error);
                }
            }
        }
        std::thread::sleep(LOOK);
    }
    Err(NotInstalled::Manager { command: "end the service".to_owned(), said })
}

/// What was asked of the service manager, and what it said.
fn refused(what: &'static str) -> impl Fn(Error) -> NotInstalled {
    move |error| NotInstalled::Manager { command: what.to_owned(), said: told(&error) }
}

/// An error of the service manager, with what the system says of it.
fn told(error: &Error) -> String {
    match error {
        Error::Winapi(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
