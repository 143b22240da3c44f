/** All figures, by name, in the paper's order. */

import type { Figure } from '../figure.js'
import type { Workbench } from '../workbench.js'
import { figure2 } from './dispatch.js'
import { figure5 } from './flow-sizes.js'
import { kernelTable } from './kernel.js'
import { figure10 } from './limits.js'
import { figure11, table1, table4 } from './model.js'
import { figure1, figure6, figure7 } from './scaling.js'
import { figure8, figure9 } from './work.js'

export const figures: Readonly<Record<string, (bench: Workbench) => Promise<Figure>>> = {
  'figure-1': figure1,
  'figure-2': figure2,
  'table-1': table1,
  'figure-5': () => Promise.resolve(figure5()),
  'figure-6': figure6,
  'figure-7': figure7,
  'figure-8': figure8,
  'figure-9': figure9,
  'figure-10': figure10,
  'table-4': table4,
  'table-4-kernel': kernelTable,
  'figure-11': figure11,
}
