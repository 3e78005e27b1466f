//! Kernels on the processor, for the tests: the same sources compiled as C++, launched with the same arguments.
//!
//! `tests/kernels` has the few pieces of CUDA C++ that the kernels use. What is checked at every launch: number, order
//! and types of the arguments; that every output is written, and nothing beside it; that all threads of a block reach
//! its barriers; and that the order in which threads run changes nothing.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use candle_core::{DType, Device, Result, Tensor, bail};
use half::bf16;

use super::launch::{Arg, FAMILIES, Launch};

/// The sources, as the compiler finds them.
const SOURCES: [&str; 5] = ["activation", "norm", "patches", "rotary", "segments"];

/// Bytes on both sides of an output that no kernel may touch.
const GUARD: usize = 4096;

/// What the bytes of guards, and of outputs before they are written, are: a NaN in either precision.
const POISON: u8 = 0xff;

type Emulate = unsafe extern "C" fn(
    *const c_char,
    *const c_uint,
    *const *const c_void,
    *const c_char,
    c_int,
    *mut c_char,
    usize,
) -> c_int;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// Whether tensors on the CPU go through the kernels.
pub(crate) fn is_on() -> bool {
    ON.get()
}

/// Runs `f` with kernels for tensors on the CPU; says why not where there is no C++ compiler. With `MADMIX_TEST_CXX`
/// there must be one.
pub(crate) fn with(f: impl FnOnce() -> Result<()>) -> Result<()> {
    if entry().is_none() {
        assert!(
            std::env::var_os("MADMIX_TEST_CXX").is_none(),
            "MADMIX_TEST_CXX is set, but `c++` does not run"
        );
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: no C++ compiler to run the CUDA kernels with");
        }
        return Ok(());
    }
    ON.set(true);
    let result = f();
    ON.set(false);
    result
}

/// The compiled kernels, once for all tests.
fn entry() -> Option<Emulate> {
    static ENTRY: OnceLock<Option<Emulate>> = OnceLock::new();
    *ENTRY.get_or_init(|| {
        let found = Command::new("c++").arg("--version").output();
        found.ok()?.status.success().then(compile)
    })
}

fn compile() -> Emulate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("#include \"run.h\"\n");
    for source in SOURCES {
        writeln!(text, "#include \"{source}.cu\"").unwrap();
    }
    text.push_str(
        "extern \"C\" int emulate(const char* name, const unsigned int* geometry, const void* const* args,\n\
         const char* kinds, int backwards, char* error, size_t room) {\n\
         emulation::Call call{geometry[0], geometry[1], geometry[2], args, kinds, backwards != 0};\n\
         std::string problem = \"is not there\";\n",
    );
    for name in FAMILIES.iter().flat_map(|family| family.names) {
        // Sets are summed from f32 chunks only.
        if !name.starts_with("sum_sets_bf16") {
            writeln!(
                text,
                "if (!std::strcmp(name, \"{name}\")) problem = emulation::launch({name}, call);"
            )
            .unwrap();
        }
    }
    text.push_str(
        "if (problem.empty()) return 0;\n\
         std::snprintf(error, room, \"%s: %s\", name, problem.c_str());\n\
         return 1;\n}\n",
    );
    let (unit, library) = (
        folder.path().join("kernels.cpp"),
        folder.path().join("kernels.so"),
    );
    fs_err::write(&unit, text).unwrap();
    let extra = std::env::var("MADMIX_TEST_CXXFLAGS").unwrap_or_default();
    let output = Command::new("c++")
        .args([
            "-std=c++20",
            "-O1",
            "-g",
            "-shared",
            "-fPIC",
            "-fno-strict-aliasing",
            // It takes jumps between stacks for mistakes.
            "-U_FORTIFY_SOURCE",
            "-ffp-contract=off",
        ])
        .args([
            "-Wall",
            "-Wextra",
            "-Wno-unknown-pragmas",
            "-Wno-unused-parameter",
        ])
        .args(extra.split_whitespace())
        .arg("-I")
        .arg(root.join("tests/kernels"))
        .arg("-I")
        .arg(root.join("src/vlm/kernels"))
        .args(["-x", "c++"])
        .arg(&unit)
        .arg("-o")
        .arg(&library)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let library = CString::new(library.to_str().unwrap()).unwrap();
    #[expect(
        unsafe_code,
        reason = "the library was compiled above; `emulate` is declared there as `Emulate` is here"
    )]
    unsafe {
        let handle = libc::dlopen(library.as_ptr(), libc::RTLD_NOW);
        assert!(!handle.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let symbol = libc::dlsym(handle, c"emulate".as_ptr());
        assert!(!symbol.is_null());
        std::mem::transmute::<*mut c_void, Emulate>(symbol)
    }
}

/// Memory as a card's: at an address that is a multiple of 16 bytes, and no longer than asked for.
struct Memory(Vec<u8>);

impl Memory {
    fn address(&mut self) -> u64 {
        let address = self.0.as_mut_ptr().expose_provenance() as u64;
        assert!(address.is_multiple_of(16), "malloc aligns to 16 bytes");
        address
    }
}

/// See [`super::run`].
pub(super) fn run(
    inputs: &[Option<&Tensor>],
    outputs: &[(&[usize], DType)],
    launches: impl FnOnce(&[u64], &[u64]) -> Vec<Launch>,
) -> Result<Vec<Tensor>> {
    let mut inputs: Vec<Option<Memory>> = inputs
        .iter()
        .map(|input| {
            input
                .map(|tensor| Ok(Memory(bytes_of(tensor)?)))
                .transpose()
        })
        .collect::<Result<_>>()?;
    let before: Vec<_> = inputs
        .iter()
        .flatten()
        .map(|memory| memory.0.clone())
        .collect();
    let mut made: Vec<Memory> = outputs
        .iter()
        .map(|(shape, dtype)| {
            let count: usize = shape.iter().product();
            Memory(vec![POISON; count * dtype.size_in_bytes() + 2 * GUARD])
        })
        .collect();
    let addresses: Vec<u64> = inputs
        .iter_mut()
        .map(|memory| memory.as_mut().map_or(0, Memory::address))
        .collect();
    let targets: Vec<u64> = made
        .iter_mut()
        .map(|memory| memory.address() + GUARD as u64)
        .collect();
    let launches = launches(&addresses, &targets);
    let mut orders = Vec::new();
    for backwards in [false, true] {
        for launch in launches.iter().filter(|launch| !launch.grid.contains(&0)) {
            start(launch, backwards)?;
        }
        orders.push(
            made.iter()
                .map(|memory| memory.0.clone())
                .collect::<Vec<_>>(),
        );
        for memory in &mut made {
            memory.0.fill(POISON);
        }
    }
    let after: Vec<_> = inputs
        .iter()
        .flatten()
        .map(|memory| memory.0.clone())
        .collect();
    assert!(before == after, "an input was written to: {launches:?}");
    assert!(orders[0] == orders[1], "threads race: {launches:?}");
    let tensor = |(bytes, (shape, dtype)): (&Vec<u8>, &(&[usize], DType))| {
        let (front, rest) = bytes.split_at(GUARD);
        let (values, back) = rest.split_at(rest.len() - GUARD);
        let untouched = |guard: &[u8]| guard.iter().all(|&byte| byte == POISON);
        assert!(untouched(front), "written before an output: {launches:?}");
        assert!(untouched(back), "written behind an output: {launches:?}");
        let hole = values.chunks(dtype.size_in_bytes()).position(untouched);
        assert!(
            hole.is_none(),
            "element {hole:?} was not written: {launches:?}"
        );
        match dtype {
            DType::BF16 => {
                let values = values.as_chunks().0.iter().map(|&b| bf16::from_ne_bytes(b));
                Tensor::from_vec(values.collect(), *shape, &Device::Cpu)
            }
            DType::F32 => {
                let values = values.as_chunks().0.iter().map(|&b| f32::from_ne_bytes(b));
                Tensor::from_vec(values.collect(), *shape, &Device::Cpu)
            }
            other => bail!("no kernel makes {other:?}"),
        }
    };
    orders[1].iter().zip(outputs).map(tensor).collect()
}

fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    if !tensor.is_contiguous() {
        bail!(
            "a kernel was given {:?}, which is not contiguous",
            tensor.layout()
        );
    }
    let all = tensor.flatten_all()?;
    let mut bytes: Vec<u8> = match tensor.dtype() {
        DType::BF16 => all
            .to_vec1::<bf16>()?
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect(),
        DType::F32 => all
            .to_vec1::<f32>()?
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect(),
        DType::U32 => all
            .to_vec1::<u32>()?
            .iter()
            .flat_map(|v| v.to_ne_bytes())
            .collect(),
        DType::U8 => all.to_vec1()?,
        other => bail!("no kernel takes {other:?}"),
    };
    // No room beyond the end, so that an address sanitizer sees what is read there.
    bytes.shrink_to_fit();
    Ok(bytes)
}

pub(super) fn start(launch: &Launch, backwards: bool) -> Result<()> {
    let emulate = entry().expect("the emulation is on");
    let name = CString::new(launch.kernel).expect("a C name");
    let geometry = [launch.grid[0], launch.grid[1], launch.block];
    let kinds = launch.args.iter().map(|arg| match arg {
        Arg::Pointer(_) => 'p',
        Arg::U32(_) => 'u',
        Arg::F32(_) => 'f',
    });
    let kinds = CString::new(kinds.collect::<String>()).expect("letters");
    let args: Vec<*const c_void> = launch
        .args
        .iter()
        .map(|arg| match arg {
            Arg::Pointer(value) => std::ptr::from_ref(value).cast(),
            Arg::U32(value) => std::ptr::from_ref(value).cast(),
            Arg::F32(value) => std::ptr::from_ref(value).cast(),
        })
        .collect();
    let mut error = [0_u8; 256];
    #[expect(
        unsafe_code,
        reason = "the kernel gets addresses of memory that outlives the call, of the sizes that the launch was made \
                  for; that it stays within is what is tested"
    )]
    let status = unsafe {
        emulate(
            name.as_ptr(),
            geometry.as_ptr(),
            args.as_ptr(),
            kinds.as_ptr(),
            c_int::from(backwards),
            error.as_mut_ptr().cast(),
            error.len(),
        )
    };
    if status != 0 {
        let text = CStr::from_bytes_until_nul(&error).expect("snprintf ends it");
        bail!("{}", text.to_string_lossy());
    }
    Ok(())
}
