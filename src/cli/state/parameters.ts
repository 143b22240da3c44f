// Parameters of an attached program: read from its map, and set in it while packets flow.

import type { SettingInfo } from '../../engine/artifact.js'
import type { Reading } from '../../engine/kernel/reading.js'
import type { FieldValue } from '../../state/field.js'
import { show } from '../../state/text.js'
import type { Shown } from '../../state/text.js'
import { mapNames } from '../../backend/ebpf/target.js'
import { settingField } from '../inputs.js'

/** Every parameter's value now, as people spell it. */
export function parametersOf(reading: Reading): Map<string, Shown> {
  const view = viewOf(reading)
  return new Map(
    reading.description.settings.map((setting, k) => [
      setting.name,
      show(settingField(setting), valueOf(setting, view?.getBigUint64(8 * k, true) ?? setting.default)),
    ]),
  )
}

/** Stores values, each whole; packets between two of them see the one and not yet the other. */
export function setParameters(reading: Reading, values: ReadonlyMap<string, bigint>): void {
  const view = viewOf(reading)
  reading.description.settings.forEach(({ name }, k) => {
    const value = values.get(name)
    if (value !== undefined) view?.setBigUint64(8 * k, BigInt.asUintN(64, value), true)
  })
}

function viewOf(reading: Reading): DataView | undefined {
  const bytes = reading.bytes(mapNames.settings)
  return bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function valueOf({ type }: SettingInfo, raw: bigint): FieldValue {
  if (type === 'bool') return raw !== 0n
  if (type === 'u64') return BigInt.asUintN(64, raw)
  if (type === 'i64') return BigInt.asIntN(64, raw)
  return Number(type === 'i32' ? BigInt.asIntN(32, raw) : BigInt.asUintN(32, raw))
}
