"""The result of a GPU check as Markdown."""


def markdown(result: dict) -> list[str]:
    """Tables of a result of `gpu_check`, for the docs and the terminal."""
    machine = result["machine"]
    lines = [
        f"{machine['gpu']}, {machine['memory_gb']:.0f} GB, torch {machine['torch']}, CUDA {machine['cuda']}",
        "",
    ]
    if peaks := result.get("peaks"):
        parts = [f"{name} {value / 1e12:.0f} TFLOP/s" for name, value in peaks.items()]
        bandwidth = result["copy_bandwidth"] / 1e12
        lines += [f"Measured peaks: {', '.join(parts)}; copy {bandwidth:.1f} TB/s.", ""]
    lines += [
        "| check | path | error | tolerance | |",
        "|---|---|---|---|---|",
        *(
            f"| {c['what']} | {c['path']} | {c['error']:.2g} | {c['tolerance']:g} | "
            f"{'passed' if c['passed'] else '**failed**'} |"
            for c in result["checks"]
        ),
        "",
        "| model | classes | batch | plain ms | plain TF32 ms | ours float32 ms | ours TF32 ms | ours bfloat16 ms "
        "| bfloat16 to plain | bfloat16 images/s | of peak | plain MB | ours MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *map(_timing_row, result["timing"]),
    ]
    if result["parts"]:
        names = list(result["parts"][0]["milliseconds"])
        lines += [
            "",
            f"| model | classes | batch | {' ms | '.join(names)} ms |",
            "|---|---|---|" + "---|" * len(names),
            *(
                f"| {p['backbone']} | {p['classes']} | {p['batch']} | "
                + " | ".join(f"{p['milliseconds'][n]:.1f}" for n in names)
                + " |"
                for p in result["parts"]
            ),
        ]
    if found := result.get("photos"):
        lines += [
            "",
            f"Adaptation of {found['backbone']} to {found['photos']:,} twelve-megapixel photos on disk, "
            f"{found['epochs']} epochs: import {found['import']:.1f} s, run {found['run']:.1f} s.",
        ]
    if found := result.get("predictions"):
        few, many = found["images"]
        lines += [
            "",
            f"Predictions by {found['backbone']} of {few:,} and {many:,} JPEG files of 512 × 384 pixels: "
            f"{found['seconds'][0]:.1f} and {found['seconds'][1]:.1f} s, "
            f"{found['ms_per_image']:.2f} ms for each further image.",
        ]
    lines += [f"Failed: {f['section']}: {f['error']}" for f in result["failed"]]
    if result["left_out"]:
        lines += ["", f"Left out, no time left: {'; '.join(result['left_out'])}."]
    return lines


def _timing_row(row: dict) -> str:
    def ms(name: str) -> str:
        return f"{1e3 * row[name]['seconds']:.1f}" if row.get(name) else "out of memory"

    ours, plain = row.get("bfloat16"), row.get("plain")
    return (
        f"| {row['backbone']} | {row['classes']} | {row['batch']} | "
        + " | ".join(ms(n) for n in ("plain", "plain_tf32", "float32", "tf32", "bfloat16"))
        + f" | {f'{r:.1f}×' if (r := row.get('ratio')) else '–'}"
        + (
            f" | {ours['images_per_second']:,.0f} | {100 * ours['peak_share']:.0f} %"
            if ours
            else " | – | –"
        )
        + f" | {plain['memory_mb'] if plain else 0:,.0f} | {ours['memory_mb'] if ours else 0:,.0f} |"
    )
