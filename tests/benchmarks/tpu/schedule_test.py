"""Tests the memory of a schedule against figures by hand."""

from benchmarks.tpu import schedule

_SCHEDULE = """HloModule step, is_scheduled=true

%inner (p: f32[8,128]) -> f32[8,128] {
  ROOT %p = f32[8,128]{1,0:T(8,128)} parameter(0)
}

ENTRY %main (a: f32[8,128]) -> f32[8,128] {
  %a = f32[8,128]{1,0:T(8,128)} parameter(0)
  %b = f32[3,100]{1,0:T(8,128)} fusion(%a), kind=kLoop, calls=%inner
  %c = bf16[16,128]{1,0:T(8,128)(2,1)} fusion(%b), kind=kLoop, calls=%inner
  %near = f32[8,128]{1,0:T(8,128)S(1)} fusion(%c), kind=kLoop, calls=%inner
  %t = (f32[3,100]{1,0:T(8,128)}, bf16[16,128]{1,0:T(8,128)(2,1)}) tuple(%b, %c)
  %d = bf16[16,128]{1,0:T(8,128)(2,1)} get-tuple-element(%t), index=1
  ROOT %e = f32[8,128]{1,0:T(8,128)} fusion(%d), kind=kLoop, calls=%inner
}
"""


def test_a_value_takes_its_tiles_until_its_last_use():
  found = schedule.memory(_SCHEDULE)
  tile = 4 * 8 * 128
  assert found['argument_bytes'] == tile
  # b fills a tile, c as much; after the tuple c alone is used, by e.
  assert found['temporary_bytes'] == 2 * tile
