/**
 * Published flow-size distributions, as points of a cumulative distribution: [share of flows, size up to].
 *
 * Data only; `law.ts` interpolates. Each table names its source. A table whose first share is above zero is flat
 * below it: the source says no more than "up to".
 */

export type Point = readonly [share: number, size: number]

/** University data centre 1 (Benson et al., IMC 2010), bytes a flow; read by APNet 2022 "Locality Matters". */
// prettier-ignore
export const EDU1: readonly Point[] = [
  [0.01, 68], [0.05, 86], [0.1, 91], [0.2, 130], [0.3, 224], [0.35, 367], [0.4, 367], [0.45, 440], [0.5, 447],
  [0.55, 515], [0.6, 1038], [0.65, 1438], [0.7, 1782], [0.75, 2190], [0.8, 4148], [0.85, 8326], [0.9, 9445],
  [0.91, 9445], [0.94, 10138], [0.95, 12895], [0.97, 24510], [0.98, 44065], [0.99, 114040], [1, 86684378],
]

/** University data centre 2 (Benson et al., IMC 2010), bytes a flow; same reading as EDU1. */
// prettier-ignore
export const EDU2: readonly Point[] = [
  [0.4, 62], [0.45, 107], [0.5, 108], [0.55, 186], [0.6, 216], [0.65, 376], [0.7, 570], [0.75, 929], [0.8, 1284],
  [0.85, 2568], [0.88, 4374], [0.9, 6871], [0.92, 14091], [0.94, 35984], [0.95, 65550], [0.96, 103003],
  [0.97, 137710], [0.98, 275420], [0.99, 852223], [1, 340457054],
]

/**
 * Internet backbone, CAIDA equinix-nyc 2019-01-17 13:00 UTC direction A, responder payload bytes of the TCP flows
 * that have any. Sequence-number artefacts make false giants in the source, so the tail ends at 100 MB.
 */
// prettier-ignore
export const CAIDA_TCP: readonly Point[] = [
  [0.05, 31], [0.1, 37], [0.2, 180], [0.3, 302], [0.4, 500], [0.5, 1237], [0.6, 3340], [0.7, 4555], [0.8, 6092],
  [0.9, 11885], [0.95, 44796], [0.97, 117094], [0.98, 217916], [0.99, 583108], [0.995, 1502674],
  [0.999, 9927721], [1, 100e6],
]

/** The same minute, UDP flows that have payload; the tail above 99.9 % ends at 100 MB as well. */
// prettier-ignore
export const CAIDA_UDP: readonly Point[] = [
  [0.05, 157], [0.1, 159], [0.2, 163], [0.3, 172], [0.4, 192], [0.5, 213], [0.6, 241], [0.7, 262], [0.8, 321],
  [0.9, 412], [0.95, 520], [0.97, 619], [0.98, 721], [0.99, 1078], [0.995, 4811], [0.999, 1693838], [1, 100e6],
]

/** Flows of that minute by kind: with payload, and without (one direction of a link: scans, unanswered SYNs). */
export const CAIDA_FLOWS = { tcp: 472237, tcpEmpty: 1419415, udp: 41237, udpEmpty: 930941 }

/** Web search, DCTCP (Alizadeh et al., SIGCOMM 2010), bytes a flow, as used by TrafficGenerator and HPCC. */
// prettier-ignore
export const DCTCP: readonly Point[] = [
  [0, 0], [0.15, 10e3], [0.2, 20e3], [0.3, 30e3], [0.4, 50e3], [0.53, 80e3], [0.6, 200e3], [0.7, 1e6], [0.8, 2e6],
  [0.9, 5e6], [0.97, 10e6], [1, 30e6],
]

/** Data mining (VL2, Greenberg et al., SIGCOMM 2009), bytes a flow. */
// prettier-ignore
export const VL2: readonly Point[] = [
  [0.1, 180], [0.2, 216], [0.3, 560], [0.4, 900], [0.5, 1100], [0.6, 1870], [0.7, 3160], [0.8, 10e3], [0.9, 400e3],
  [0.95, 3.16e6], [0.98, 100e6], [1, 1e9],
]

/** Facebook Hadoop (HPCC, SIGCOMM 2019), bytes a flow. */
// prettier-ignore
export const HADOOP: readonly Point[] = [
  [0.01, 100], [0.02, 200], [0.05, 300], [0.15, 350], [0.2, 400], [0.3, 500], [0.4, 600], [0.5, 700], [0.6, 1000],
  [0.67, 2000], [0.7, 7000], [0.72, 30e3], [0.82, 50e3], [0.87, 80e3], [0.9, 120e3], [0.95, 300e3], [0.975, 1e6],
  [0.99, 2e6], [1, 10e6],
]

/**
 * Campus Internet link, AGH Krakow 2015 (flow-models, one hour, 6.5 M flows), TCP, packets a flow. The point at 131,072
 * is not in the source: the source's shares of packets say that flows between 65,536 and 262,144 have 107,800 packets
 * in the mean (UDP: 118,800), where interpolation without it would give 141,800.
 */
// prettier-ignore
export const CAMPUS_TCP: readonly Point[] = [
  [0.223, 1], [0.4372, 2], [0.5559, 4], [0.7116, 8], [0.8243, 16], [0.892, 32], [0.9313, 64], [0.9552, 128],
  [0.9714, 256], [0.9886, 1024], [0.9955, 4096], [0.99814, 16384], [0.99951, 65536], [0.99992, 131072],
  [0.99999, 262144],
  [1, 1048576],
]

/** The same link, UDP, packets a flow. */
// prettier-ignore
export const CAMPUS_UDP: readonly Point[] = [
  [0.6939, 1], [0.8401, 2], [0.9282, 4], [0.9686, 8], [0.9851, 16], [0.9922, 32], [0.9953, 64], [0.9969, 128],
  [0.998, 256], [0.999, 1024], [0.9994, 4096], [0.99966, 16384], [0.99985, 65536], [0.999947, 131072],
  [0.99998, 262144],
  [1, 1048576],
]
