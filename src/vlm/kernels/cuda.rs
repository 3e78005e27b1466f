//! Launches on a card, on candle's own stream.

use candle_core::backend::BackendStorage;
use candle_core::cuda::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda::{CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Error, Result, Storage, Tensor, bail};
use half::bf16;

use super::launch::{Arg, Launch, Source};

/// The module of a source, compiled by `build.rs`.
macro_rules! ptx {
    ($name:literal) => {
        (
            concat!("madmix_", $name),
            include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx")),
        )
    };
}

/// See [`super::run`].
pub(super) fn run(
    device: &CudaDevice,
    inputs: &[Option<&Tensor>],
    outputs: &[(&[usize], DType)],
    launches: impl FnOnce(&[u64], &[u64]) -> Vec<Launch>,
) -> Result<Vec<Tensor>> {
    let stream = device.cuda_stream();
    let storages: Vec<_> = inputs
        .iter()
        .map(|input| input.map(Tensor::storage_and_layout))
        .collect();
    // The guards tell cudarc's event tracking, where it is on, that the memory was in use until they are dropped.
    let mut guards: Vec<SyncOnDrop<'_>> = Vec::new();
    let mut addresses = Vec::with_capacity(inputs.len());
    for input in &storages {
        addresses.push(match input {
            None => 0,
            Some((storage, layout)) => {
                let Storage::Cuda(storage) = &**storage else {
                    bail!("a kernel on a card was given a tensor that is elsewhere");
                };
                if storage.device().id() != device.id() {
                    bail!("a kernel was given tensors of several cards");
                }
                let Some((start, _)) = layout.contiguous_offsets() else {
                    bail!("a kernel was given {layout:?}, which is not contiguous");
                };
                let (address, guard) = match storage.dtype() {
                    DType::BF16 => storage.as_cuda_slice::<bf16>()?.device_ptr(&stream),
                    DType::F32 => storage.as_cuda_slice::<f32>()?.device_ptr(&stream),
                    DType::U32 => storage.as_cuda_slice::<u32>()?.device_ptr(&stream),
                    DType::U8 => storage.as_cuda_slice::<u8>()?.device_ptr(&stream),
                    other => bail!("no kernel takes {other:?}"),
                };
                guards.push(guard);
                address + (start * storage.dtype().size_in_bytes()) as u64
            }
        });
    }
    let mut made: Vec<Made> = outputs
        .iter()
        .map(|(shape, dtype)| {
            let count = shape.iter().product();
            match dtype {
                DType::BF16 => allocate(device, count).map(Made::Bf16),
                DType::F32 => allocate(device, count).map(Made::F32),
                other => bail!("no kernel makes {other:?}"),
            }
        })
        .collect::<Result<_>>()?;
    let mut targets = Vec::with_capacity(outputs.len());
    let mut written = Vec::with_capacity(outputs.len());
    for made in &mut made {
        let (address, guard) = match made {
            Made::Bf16(slice) => slice.device_ptr_mut(&stream),
            Made::F32(slice) => slice.device_ptr_mut(&stream),
        };
        written.push(guard);
        targets.push(address);
    }
    for launch in launches(&addresses, &targets) {
        if !launch.grid.contains(&0) {
            start(device, &launch)?;
        }
    }
    drop((guards, written));
    let tensor = |(made, (shape, _)): (Made, &(&[usize], DType))| {
        let storage = match made {
            Made::Bf16(slice) => CudaStorage::wrap_cuda_slice(slice, device.clone()),
            Made::F32(slice) => CudaStorage::wrap_cuda_slice(slice, device.clone()),
        };
        Tensor::from_storage(Storage::Cuda(storage), *shape, BackpropOp::none(), false)
    };
    Ok(made.into_iter().zip(outputs).map(tensor).collect())
}

/// An output on its way to a tensor.
enum Made {
    Bf16(CudaSlice<bf16>),
    F32(CudaSlice<f32>),
}

/// Memory that the kernel writes all of.
fn allocate<T: DeviceRepr>(device: &CudaDevice, count: usize) -> Result<CudaSlice<T>> {
    #[expect(
        unsafe_code,
        reason = "uninitialised memory, of which every element is written by the kernel that is launched next"
    )]
    unsafe {
        // A card has no memory of no bytes.
        device.alloc::<T>(count.max(1))
    }
}

fn start(device: &CudaDevice, launch: &Launch) -> Result<()> {
    let (module, text) = match launch.source {
        Source::Activation => ptx!("activation"),
        Source::Norm => ptx!("norm"),
        Source::Patches => ptx!("patches"),
        Source::Rotary => ptx!("rotary"),
        Source::Segments => ptx!("segments"),
    };
    let function = device.get_or_load_custom_func(launch.kernel, module, text)?;
    let mut builder = function.builder();
    for arg in &launch.args {
        match arg {
            Arg::Pointer(value) => builder.arg(value),
            Arg::U32(value) => builder.arg(value),
            Arg::F32(value) => builder.arg(value),
        };
    }
    let [x, y] = launch.grid;
    let config = LaunchConfig {
        grid_dim: (x, y, 1),
        block_dim: (launch.block, 1, 1),
        shared_mem_bytes: 0,
    };
    #[expect(
        unsafe_code,
        reason = "the driver cannot check arguments: their order, types and bounds are those that the \
                  emulation in the tests checks for every kernel"
    )]
    unsafe { builder.launch(config) }.map_err(|error| {
        Error::Cuda(format!("launching the kernel {}: {error}", launch.kernel).into())
    })?;
    Ok(())
}
