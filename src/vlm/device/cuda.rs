//! Opening a CUDA device, and saying why it cannot be opened.
//!
//! The binary may be one that loads CUDA's libraries itself (`scripts/cuda-toolkit`), and the bindings panic where one is
//! missing. So they are sought here first.

use std::env;
use std::ffi::{CStr, CString, c_int};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::cuda::cudarc::driver::{CudaContext, DriverError, result, sys};
use candle_core::cuda::kernels;
use indicatif::HumanBytes;

use super::capability::{Capability, Target};
use super::libraries::{self, Missing, Sought};
use super::reason::{Unusable, Version, Visible};
use crate::wall;

/// Opens a device; with it comes what people call the card.
pub(super) fn open(ordinal: usize) -> Result<(Device, String), Unusable> {
    find_driver()?;
    let card = behind_wall(|| look_at(ordinal))??;
    find_libraries()?;
    let device = behind_wall(|| Device::new_cuda_with_stream(ordinal))?
        .and_then(|device| tune(&device).map(|()| device))
        .map_err(|error| Unusable::Failed(without_backtrace(&error)))?;
    Ok((device, card))
}

/// How many devices this process can see; 0 where CUDA cannot be asked.
pub(super) fn visible() -> usize {
    let count = || {
        find_driver()
            .ok()
            .and_then(|()| CudaContext::device_count().ok())
    };
    let count = wall::behind(count).ok().flatten();
    count
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}

/// The bindings panic where a library lacks a function.
fn behind_wall<T>(f: impl FnOnce() -> T) -> Result<T, Unusable> {
    wall::behind(f)
        .map_err(|panic| Unusable::Failed(format!("a library of CUDA cannot be used: {panic}")))
}

/// Where `RUST_BACKTRACE` is set, candle's errors end in many lines.
fn without_backtrace(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(inner),
        error => error.to_string(),
    }
}

fn failed(error: DriverError) -> Unusable {
    Unusable::Failed(error.to_string())
}

/// Looks at a device without opening it, and names it.
fn look_at(ordinal: usize) -> Result<String, Unusable> {
    let toolkit = Version(sys::CUDA_VERSION);
    let driver = driver_version().map_err(failed)?;
    // Kernels are PTX, which an older driver does not take, not even one of the same major version.
    if driver < toolkit {
        return Err(Unusable::DriverTooOld { driver, toolkit });
    }
    let visible = Visible(env::var("CUDA_VISIBLE_DEVICES").ok());
    match result::init() {
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => {
            return Err(Unusable::NoDevice(visible));
        }
        initialised => initialised.map_err(failed)?,
    }
    let cards = cards().map_err(failed)?;
    let Some((name, capability, bytes)) = cards.get(ordinal) else {
        let found: Vec<String> = (0..)
            .zip(&cards)
            .map(|(other, (name, ..))| format!("cuda:{other} ({name})"))
            .collect();
        return Err(if found.is_empty() {
            Unusable::NoDevice(visible)
        } else {
            Unusable::NoSuchDevice {
                ordinal,
                found,
                visible,
            }
        });
    };
    if let Some(built) = Target::of_ptx(kernels::FILL.ptx())
        && !built.runs_on(*capability)
    {
        return Err(Unusable::NotBuiltFor {
            card: format!("cuda:{ordinal} ({name})"),
            capability: *capability,
            built,
        });
    }
    Ok(format!("{name}, {}", HumanBytes(*bytes)))
}

/// The newest CUDA that the driver takes.
fn driver_version() -> Result<Version, DriverError> {
    let mut version: c_int = 0;
    #[expect(
        unsafe_code,
        reason = "the driver writes one number to where it is told"
    )]
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(Version(version.unsigned_abs()))
}

/// Names, compute capabilities and bytes of memory of all devices that this process sees.
fn cards() -> Result<Vec<(String, Capability, u64)>, DriverError> {
    use sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    let card = |ordinal| {
        let device = result::device::get(ordinal)?;
        #[expect(unsafe_code, reason = "the device was just given out by the driver")]
        let (major, minor, bytes) = unsafe {
            (
                result::device::get_attribute(device, MAJOR)?,
                result::device::get_attribute(device, MINOR)?,
                result::device::total_mem(device)?,
            )
        };
        let capability = Capability(major.unsigned_abs(), minor.unsigned_abs());
        Ok((result::device::get_name(device)?, capability, bytes as u64))
    };
    (0..result::device::get_count()?).map(card).collect()
}

/// Spares each tensor two events, which only streams that share tensors need. Keeps freed memory for the next batch,
/// where it would go back to the driver whenever the host waits; but never makes a copy wait for the computing stream to
/// free some, while there is other memory.
fn tune(device: &Device) -> candle_core::Result<()> {
    let device = device.as_cuda_device()?;
    #[expect(
        unsafe_code,
        reason = "all tensors are made and used on the device's one stream; what another stream copies is waited for"
    )]
    unsafe {
        device.disable_event_tracking();
    }
    let stream = device.cuda_stream();
    let context = stream.context();
    if context.has_async_alloc() {
        use sys::CUmemPool_attribute::{
            CU_MEMPOOL_ATTR_RELEASE_THRESHOLD as THRESHOLD,
            CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES as WAITING,
        };
        let (mut threshold, mut waiting) = (u64::MAX, 0 as c_int);
        #[expect(
            unsafe_code,
            reason = "the pool is the device's own, and these attributes are numbers of 64 and 32 bits"
        )]
        unsafe {
            let pool = result::device::get_default_mem_pool(context.cu_device());
            pool.and_then(|pool| {
                result::mem_pool::set_attribute(pool, THRESHOLD, (&raw mut threshold).cast())?;
                result::mem_pool::set_attribute(pool, WAITING, (&raw mut waiting).cast())
            })
        }
        .map_err(candle_core::Error::wrap)?;
    }
    // Its libraries' handles are never closed: on a device that has failed that fails too, and the bindings would panic
    // before the failure is told.
    std::mem::forget(device.clone());
    Ok(())
}

/// The driver's library, or why it cannot be had.
fn find_driver() -> Result<(), Unusable> {
    load(&[libraries::DRIVER.to_owned()]).map_err(|refused| Unusable::NoDriver(sought(refused)))
}

/// The other libraries, or where they were sought.
fn find_libraries() -> Result<(), Unusable> {
    let cuda_major = sys::CUDA_VERSION / 1000;
    let mut missing = Vec::new();
    let mut why = None;
    for library in libraries::OTHERS {
        if let Err(refused) = load(&libraries::names(library, cuda_major)) {
            missing.push(library);
            why = why.or(refused);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Unusable::NoLibraries(Missing {
        elsewhere: libraries::elsewhere(&missing, cuda_major, &roots()),
        libraries: missing,
        cuda_major,
        sought: sought(why),
    }))
}

fn sought(refused: Option<String>) -> Sought {
    Sought {
        library_path: env::var("LD_LIBRARY_PATH").ok(),
        refused,
    }
}

/// Where toolkits and Python environments are on this machine.
fn roots() -> Vec<PathBuf> {
    let variables = ["VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"];
    let named = variables.iter().filter_map(env::var_os).map(PathBuf::from);
    let python = env::var_os("PATH").and_then(|path| {
        let folder = env::split_paths(&path).find(|folder| folder.join("python3").exists())?;
        folder.parent().map(Path::to_owned)
    });
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local"));
    let usual = ["/usr/local/cuda", "/opt/cuda", "/usr/local", "/usr"];
    named
        .chain(python)
        .chain(home)
        .chain(usual.map(PathBuf::from))
        .collect()
}

/// Loads the first of these libraries that can be had, for good and for all that is loaded later. On failure, what the
/// loader says of one that is there.
fn load(names: &[String]) -> Result<(), Option<String>> {
    let mut refused = None;
    for name in names {
        match load_one(name) {
            Ok(()) => return Ok(()),
            Err(why) if why.contains("No such file") => {}
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    Err(refused)
}

fn load_one(name: &str) -> Result<(), String> {
    let name = CString::new(name).map_err(|error| error.to_string())?;
    #[expect(
        unsafe_code,
        reason = "NVIDIA's libraries may be loaded at any time; the error's text is read before any other call"
    )]
    unsafe {
        if libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL).is_null() {
            let error = libc::dlerror();
            if error.is_null() {
                return Err("unknown".to_owned());
            }
            return Err(CStr::from_ptr(error).to_string_lossy().into_owned());
        }
    }
    Ok(())
}
