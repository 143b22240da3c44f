/**
 * The throughput model of the paper, appendix A: with k cores a packet takes t + (k - 1) c2, where t = d + c1 is what
 * receiving (d) and processing (c1) a packet cost and c2 what replaying one item of history costs, so that k cores
 * handle k / (t + (k - 1) c2) packets a second.
 *
 * The parameters are fitted on few cores and the model is judged on the others.
 */

export interface ModelParameters {
  /** Nanoseconds, each. */
  readonly t: number
  readonly c2: number
  readonly d: number
  readonly c1: number
}

/** What a packet costs each worker when there are `workers`, ns. */
export interface CostPoint {
  readonly workers: number
  readonly nanoseconds: number
}

/** Million packets a second of k workers. */
export const predicted = ({ t, c2 }: Pick<ModelParameters, 't' | 'c2'>, workers: number): number =>
  (1e3 * workers) / (t + (workers - 1) * c2)

/**
 * Least squares through the costs; `d` is measured by itself, with a program that does nothing. Costs of one worker
 * carry no history header at all, which the model does not know of, so a caller may leave them out.
 */
export function fitModel(costs: readonly CostPoint[], d: number): ModelParameters {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const x = costs.map(p => p.workers - 1)
  const y = costs.map(p => p.nanoseconds)
  const [mx, my] = [mean(x), mean(y)]
  const square = x.reduce((sum, v) => sum + (v - mx) ** 2, 0)
  const c2 = square === 0 ? 0 : x.reduce((sum, v, i) => sum + (v - mx) * (y[i] - my), 0) / square
  const t = my - c2 * mx
  return { t, c2, d: Math.min(d, t), c1: Math.max(0, t - d) }
}

/** Mean and largest relative error of the prediction, where it is not zero by construction. */
export function modelError(
  parameters: ModelParameters,
  rates: readonly { readonly workers: number; readonly mpps: number }[],
): { readonly mean: number; readonly most: number } {
  const errors = rates.map(({ workers, mpps }) => Math.abs(predicted(parameters, workers) / mpps - 1))
  if (errors.length === 0) return { mean: 0, most: 0 }
  return { mean: errors.reduce((a, b) => a + b, 0) / errors.length, most: Math.max(...errors) }
}

/** Table 4 of the paper, nanoseconds on an Ice Lake at 3.6 GHz with a ConnectX-5. */
export const paperParameters: Readonly<Record<string, ModelParameters>> = {
  'ddos-mitigator': { t: 114, c2: 15, d: 104, c1: 10 },
  'heavy-hitter': { t: 145, c2: 15, d: 110, c1: 35 },
  'token-bucket': { t: 156, c2: 21, d: 104, c1: 53 },
  'port-knocking': { t: 107, c2: 18, d: 97, c1: 11 },
  'connection-tracker': { t: 152, c2: 35, d: 80, c1: 73 },
}
