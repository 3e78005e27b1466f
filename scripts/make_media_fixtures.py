"""Makes tests/fixtures/media: small pictures, and what the reference implementations make of them.

Needs Python 3.11, Pillow 13, numpy, torch (CPU), torchvision and transformers 5.23; the manifest records the exact
versions. Run from the root of the repository:

    python scripts/make_media_fixtures.py

The manifest holds, as CRC-32 of the 8-bit levels (row by row, red, green, blue):

* `decode`: every stored picture as Pillow decodes it, as stored and turned upright;
* `cuts`: stored files cut off after n bytes: what Pillow makes of them, null where it refuses;
* `resize`: pictures made by `picture`, resampled by torchvision and by Pillow;
* `anyres`, `squares`: such pictures through transformers' LLaVA-OneVision image processors.

tests/media makes the same pictures by the same formula.
"""

import io
import json
import zlib
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image, ImageOps, features
from torchvision.transforms.v2 import functional as tvf
from transformers.models.llava_onevision.image_processing_llava_onevision import LlavaOnevisionImageProcessor
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

OUT = Path("tests/fixtures/media")
ORIENTATION = 0x0112


def picture(width, height, seed):
    """Slopes with wrap-around edges, plus noise: [height, width, 3] uint8. Arithmetic in 32 bits."""
    y, x, c = np.meshgrid(*(np.arange(n, dtype=np.uint32) for n in (height, width, 3)), indexing="ij")
    with np.errstate(over="ignore"):
        slope = (x * (3 + c) // 4 + y * (5 - c) // 4 + np.uint32(seed * 40)) & 255
        mixed = ((x + 1) * np.uint32(2654435761)) ^ ((y + 1) * np.uint32(2246822519)) ^ ((c + 1 + np.uint32(seed)) * np.uint32(3266489917))
    noise = mixed >> 27
    return np.minimum(slope * 7 // 8 + noise, 255).astype(np.uint8)


def image(width, height, seed=0):
    return Image.fromarray(picture(width, height, seed))


def gray16(width, height):
    levels = picture(width, height, 3)[..., 0].astype(np.uint32) * 2
    return Image.fromarray(levels.astype(np.uint16))


def with_alpha(width, height, mode="RGBA"):
    full = image(width, height, 5).convert(mode[:-1])
    full.putalpha(Image.fromarray(picture(width, height, 6)[..., 1]))
    return full


def saved(im, kind, **options):
    buffer = io.BytesIO()
    im.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(value):
    tags = Image.Exif()
    tags[ORIENTATION] = value
    return tags


def sampled(data, old, new):
    """The same JPEG stream read with other sampling factors; the number of blocks in an MCU has to stay."""
    at = data.index(b"\xff\xc0") + 11
    assert data[at] == old
    return data[:at] + bytes([new]) + data[at + 1 :]


def adobe_transform(data, value):
    at = data.index(b"\xff\xee") + 4
    assert data[at : at + 5] == b"Adobe"
    return data[: at + 11] + bytes([value]) + data[at + 12 :]


def on_screen(data, width, height):
    """The same GIF on a logical screen of another size."""
    return data[:6] + width.to_bytes(2, "little") + height.to_bytes(2, "little") + data[10:]


def jpegs():
    files = {}
    for name, subsampling in {"444": 0, "422": 1, "420": 2}.items():
        for progressive in (False, True):
            kind = "progressive" if progressive else "baseline"
            files[f"jpeg_{kind}_{name}.jpg"] = saved(image(61, 47), "JPEG", quality=80, subsampling=subsampling, progressive=progressive)
    for quality in (5, 50, 100):
        files[f"jpeg_quality_{quality}.jpg"] = saved(image(50, 33, 1), "JPEG", quality=quality)
    for width, height in ((1, 1), (1, 17), (17, 1), (2, 2), (3, 5), (7, 9), (8, 8), (9, 7), (16, 16), (17, 33), (33, 17), (15, 31)):
        files[f"jpeg_size_{width}x{height}.jpg"] = saved(image(width, height, 2), "JPEG", quality=85)
    files["jpeg_gray.jpg"] = saved(image(41, 29).convert("L"), "JPEG", quality=80)
    files["jpeg_gray_progressive.jpg"] = saved(image(41, 29).convert("L"), "JPEG", quality=80, progressive=True)
    files["jpeg_optimized.jpg"] = saved(image(64, 64), "JPEG", quality=80, optimize=True)
    files["jpeg_restart_blocks.jpg"] = saved(image(63, 49), "JPEG", quality=80, restart_marker_blocks=2)
    files["jpeg_restart_rows.jpg"] = saved(image(63, 49), "JPEG", quality=80, restart_marker_rows=1)
    files["jpeg_restart_progressive.jpg"] = saved(image(63, 49), "JPEG", quality=80, restart_marker_blocks=3, progressive=True)
    files["jpeg_stored_rgb.jpg"] = saved(image(40, 40), "JPEG", quality=80, keep_rgb=True)
    files["jpeg_440.jpg"] = sampled(saved(image(64, 32), "JPEG", quality=80, subsampling=1), 0x21, 0x12)
    files["jpeg_411.jpg"] = sampled(saved(image(64, 64), "JPEG", quality=80, subsampling=2), 0x22, 0x41)
    cmyk = Image.merge("CMYK", [Image.fromarray(picture(40, 31, s)[..., s % 3]) for s in range(4)])
    files["jpeg_cmyk.jpg"] = saved(cmyk, "JPEG", quality=90)
    files["jpeg_cmyk_progressive.jpg"] = saved(cmyk, "JPEG", quality=90, progressive=True)
    files["jpeg_ycck.jpg"] = adobe_transform(files["jpeg_cmyk.jpg"], 2)
    for value in range(1, 9):
        files[f"jpeg_exif_{value}.jpg"] = saved(image(23, 14, value), "JPEG", exif=exif(value))
    files["jpeg_exif_invalid.jpg"] = saved(image(23, 14), "JPEG", exif=exif(9))
    files["jpeg_xmp_6.jpg"] = saved(image(23, 14), "JPEG", xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    files["jpeg_mpo.jpg"] = saved(image(30, 20), "MPO", save_all=True, append_images=[image(30, 20, 1)])
    files["jpeg_trailing_bytes.jpg"] = saved(image(30, 20), "JPEG") + b"bytes after the end" * 9
    files["jpeg_large.jpg"] = saved(image(401, 299, 4), "JPEG", quality=70)
    files["jpeg_large_progressive.jpg"] = saved(image(401, 299, 4), "JPEG", quality=70, progressive=True)
    return files


def others():
    files = {}
    rgb, palette = image(37, 23), image(37, 23).quantize(17)
    files["png_rgb.png"] = saved(rgb, "PNG")
    files["png_gray.png"] = saved(rgb.convert("L"), "PNG")
    files["png_gray_4bit.png"] = saved(rgb.convert("L").quantize(16), "PNG", bits=4)
    files["png_1bit.png"] = saved(rgb.convert("1"), "PNG")
    files["png_la.png"] = saved(with_alpha(37, 23, "LA"), "PNG")
    files["png_rgba.png"] = saved(with_alpha(37, 23), "PNG")
    files["png_palette.png"] = saved(palette, "PNG")
    files["png_palette_alpha.png"] = saved(palette, "PNG", transparency=bytes(range(0, 17 * 15, 15)))
    files["png_palette_one_transparent.png"] = saved(palette, "PNG", transparency=3)
    files["png_rgb_transparent.png"] = saved(rgb, "PNG", transparency=rgb.getpixel((3, 3)))
    files["png_gray16.png"] = saved(gray16(37, 23), "PNG")
    files["png_gray16_transparent.png"] = saved(gray16(37, 23), "PNG", transparency=7)
    files["png_rgb16.png"] = png16(picture(19, 11, 1), 2)
    files["png_rgba16.png"] = png16(np.concatenate([picture(19, 11, 1), picture(19, 11, 2)[..., :1]], 2), 6)
    files["png_la16.png"] = png16(picture(19, 11, 1)[..., :2], 4)
    files["png_exif_6.png"] = saved(image(23, 14), "PNG", exif=exif(6))
    files["png_animated.png"] = saved(rgb, "PNG", save_all=True, append_images=[image(37, 23, 1)])
    files["gif_plain.gif"] = saved(palette, "GIF")
    files["gif_bytes.jpg"] = saved(image(20, 20).quantize(8), "GIF")
    files["gif_gray.gif"] = saved(rgb.convert("L"), "GIF")
    files["gif_transparent.gif"] = saved(palette, "GIF", transparency=2)
    files["gif_animated.gif"] = saved(palette, "GIF", save_all=True, append_images=[image(37, 23, 1).quantize(17)])
    files["gif_interlaced.gif"] = saved(palette, "GIF", interlace=1)
    files["gif_small_frame.gif"] = on_screen(files["gif_plain.gif"], 45, 31)
    files["gif_small_frame_transparent.gif"] = on_screen(files["gif_transparent.gif"], 45, 31)
    files["gif_large_frame.gif"] = on_screen(files["gif_plain.gif"], 30, 40)
    files["bmp_rgb.bmp"] = saved(rgb, "BMP")
    files["bmp_gray.bmp"] = saved(rgb.convert("L"), "BMP")
    files["bmp_1bit.bmp"] = saved(rgb.convert("1"), "BMP")
    files["bmp_palette.bmp"] = saved(palette, "BMP")
    files["bmp_rgba.bmp"] = saved(with_alpha(37, 23), "BMP")
    for name, compression in {"raw": None, "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits"}.items():
        files[f"tiff_{name}.tif"] = saved(rgb, "TIFF", compression=compression)
    files["tiff_gray.tif"] = saved(rgb.convert("L"), "TIFF")
    files["tiff_1bit.tif"] = saved(rgb.convert("1"), "TIFF")
    files["tiff_gray16.tif"] = saved(gray16(37, 23), "TIFF")
    files["tiff_rgba.tif"] = saved(with_alpha(37, 23), "TIFF")
    files["tiff_pages.tif"] = saved(rgb, "TIFF", save_all=True, append_images=[image(37, 23, 1)])
    files["tiff_exif_6.tif"] = saved(image(23, 14), "TIFF", exif=exif(6))
    files["tiff_cmyk.tif"] = saved(rgb.convert("CMYK"), "TIFF")
    for quality in (10, 75, 100):
        files[f"webp_lossy_{quality}.webp"] = saved(image(61, 47), "WEBP", quality=quality)
    files["webp_lossy_alpha.webp"] = saved(with_alpha(61, 47), "WEBP", quality=80)
    files["webp_lossless.webp"] = saved(rgb, "WEBP", lossless=True)
    files["webp_lossless_alpha.webp"] = saved(with_alpha(37, 23), "WEBP", lossless=True, exact=True)
    files["webp_exif_6.webp"] = saved(image(23, 14), "WEBP", exif=exif(6))
    files["webp_animated.webp"] = saved(rgb, "WEBP", lossless=True, save_all=True, append_images=[image(37, 23, 1)])
    for width, height in ((1, 1), (2, 3), (17, 5), (16, 16), (200, 133)):
        files[f"webp_size_{width}x{height}.webp"] = saved(image(width, height, 3), "WEBP", quality=70)
    files["pnm_rgb.ppm"] = saved(rgb, "PPM")
    files["pnm_gray.pgm"] = saved(rgb.convert("L"), "PPM")
    files["pnm_1bit.pbm"] = saved(rgb.convert("1"), "PPM")
    files["pnm_gray16.pgm"] = saved(gray16(37, 23), "PPM")
    files["pnm_plain.ppm"] = b"P3\n2 2 255\n1 2 3  4 5 6\n7 8 9  250 251 252\n"
    files["pnm_maxval.ppm"] = b"P6\n3 1 100\n" + bytes([0, 1, 2, 33, 50, 51, 77, 99, 100])
    return files


def png16(levels, colour):
    """A PNG of 16-bit samples (Pillow cannot write one): the level in the high byte, something else in the low one."""
    height, width, _ = levels.shape
    wide = levels.astype(np.uint16) * 256 + (levels.astype(np.uint16) * 7 + 130) % 256
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, colour, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def levels_of(im):
    array = np.asarray(im.convert("RGB"))
    return {"width": array.shape[1], "height": array.shape[0], "crc": zlib.crc32(np.ascontiguousarray(array))}


def decoded(data):
    with Image.open(io.BytesIO(data)) as im:
        stored = levels_of(im)
    with Image.open(io.BytesIO(data)) as im:
        upright = levels_of(ImageOps.exif_transpose(im))
    return {"stored": stored, "upright": upright}


def cuts(name, data, count):
    rows = []
    for n in sorted({len(data) - k for k in (1, 2, 3, 4, 8, 20)} | {len(data) * k // count for k in range(1, count)}):
        rows.append(whole(name, data[:n]))
    return rows


def whole(name, data):
    try:
        return {"file": name, "bytes": len(data), "crc": decoded(data)["stored"]["crc"]}
    except Exception:  # of many kinds, by format
        return {"file": name, "bytes": len(data), "crc": None}


RESIZES = [
    # from width, height; to width, height
    (64, 64, 64, 64), (64, 64, 32, 32), (64, 64, 128, 128), (1, 1, 384, 384), (1, 100, 384, 384), (100, 1, 384, 384),
    (2, 3, 5, 7), (3, 2, 7, 5), (5000, 3, 384, 384), (3, 5000, 384, 384), (640, 480, 384, 384), (640, 480, 768, 576),
    (1920, 1080, 384, 384), (1920, 1080, 1920, 1080), (1920, 1080, 1152, 648), (1600, 1067, 1920, 1281), (384, 500, 384, 384),
    (500, 384, 384, 384), (383, 385, 384, 384), (337, 91, 1, 1), (337, 91, 336, 90), (337, 91, 338, 92), (97, 1009, 96, 31),
    (1009, 97, 31, 96), (333, 777, 100, 700), (777, 333, 700, 100), (300, 900, 299, 298), (300, 900, 900, 300), (12, 4000, 2304, 13),
    (3840, 2160, 384, 384), (1500, 1000, 1000, 1), (1500, 1000, 1, 1000), (255, 256, 257, 258),
]  # fmt: skip

ANYRES = [
    # width, height
    (20, 20), (336, 336), (384, 384), (233, 177), (640, 480), (512, 512), (640, 427), (600, 400), (900, 100), (1600, 1067),
    (1920, 1080), (3840, 2160), (100, 900), (1080, 1920), (1, 1), (1, 3000), (3000, 1), (4000, 17), (17, 4000), (383, 385), (385, 384),
    (769, 767), (2304, 2304), (2305, 2303), (1153, 385), (1001, 333),
]  # fmt: skip

SQUARES = [[(640, 480), (77, 333)], [(384, 384), (501, 500)], [(1, 9), (9, 1), (1200, 301)]]


def resizes():
    for width, height, to_width, to_height in RESIZES:
        source = picture(width, height, 0)
        tensor = torch.from_numpy(source).permute(2, 0, 1)
        mode = torchvision.transforms.InterpolationMode.BICUBIC
        ours = tvf.resize(tensor, [to_height, to_width], interpolation=mode, antialias=True)
        pillow = Image.fromarray(source).resize((to_width, to_height), Image.Resampling.BICUBIC)
        yield {
            "from": [width, height],
            "to": [to_width, to_height],
            "torchvision": zlib.crc32(ours.permute(1, 2, 0).contiguous().numpy()),
            "pillow": zlib.crc32(np.ascontiguousarray(np.asarray(pillow))),
        }


def tiles_of(processor, images):
    values = processor(images=[images], do_rescale=False, do_normalize=False, return_tensors="pt")["pixel_values"]
    values = values.reshape(-1, *values.shape[-3:]).permute(0, 2, 3, 1).contiguous()
    levels = values.to(torch.uint8)
    assert torch.equal(levels.to(values.dtype), values)
    return {"count": len(levels), "crc": zlib.crc32(levels.numpy())}


def processed(samples):
    mean = [0.5, 0.5, 0.5]
    backends = {
        "torchvision": LlavaOnevisionImageProcessor(image_mean=mean, image_std=mean),
        "pillow": LlavaOnevisionImageProcessorPil(image_mean=mean, image_std=mean),
    }
    for sizes in samples:
        images = [image(*size) for size in sizes]
        yield {"sizes": sizes} | {name: tiles_of(backend, images) for name, backend in backends.items()}


def main():
    assert PIL.__version__.startswith("13."), PIL.__version__
    assert transformers.__version__.startswith("5.23."), transformers.__version__
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    files = jpegs() | others()
    for name, data in files.items():
        (OUT / name).write_bytes(data)
    cut = {"jpeg_baseline_420.jpg": 12, "jpeg_progressive_420.jpg": 12, "jpeg_large.jpg": 25, "jpeg_large_progressive.jpg": 25, "jpeg_gray.jpg": 8,
           "jpeg_restart_blocks.jpg": 12, "jpeg_cmyk.jpg": 8, "png_rgb.png": 8, "webp_lossy_75.webp": 8, "bmp_rgb.bmp": 8}  # fmt: skip
    # Whole scan data, and then a table that is too short: Pillow reads on and refuses it.
    broken_end = "jpeg_broken_end.jpg"
    data = files["jpeg_baseline_420.jpg"][:-2] + b"\xff\xc4\x00\x13\x00" + bytes(15) + b"\xff" + b"\xff\xd9"
    (OUT / broken_end).write_bytes(data)
    manifest = {
        "versions": {
            "pillow": PIL.__version__,
            "libjpeg_turbo": features.version("libjpeg_turbo"),
            "libwebp": features.version("webp"),
            "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0],
            "transformers": transformers.__version__,
            "numpy": np.__version__,
        },
        "decode": [{"file": name} | decoded(data) for name, data in files.items()],
        "cuts": [row for name, count in cut.items() for row in cuts(name, files[name], count)] + [whole(broken_end, data)],
        "resize": list(resizes()),
        "anyres": list(processed([[size] for size in ANYRES])),
        "squares": list(processed(SQUARES)),
    }
    lines = [f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" if isinstance(rows, list) else f'"{key}": {json.dumps(rows)}' for key, rows in manifest.items()]
    (OUT / "manifest.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
