//! With the feature `cuda`: compiles the kernels of `src/vlm/kernels` to PTX. `NVCC`, `CUDA_HOME` and
//! `CUDA_COMPUTE_CAP` say with what and for which card, as for candle's own kernels.

#[cfg(feature = "cuda")]
fn main() -> cudaforge::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NVCC");
    cudaforge::KernelBuilder::new()
        .source_dir("src/vlm/kernels")
        .watch(["src/vlm/kernels/common.cuh"])
        .arg("-std=c++17")
        .arg("-O3")
        .build_ptx()
        .map(drop)
}

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
