import { Fault } from '../domain/fault.ts';

/** How many calls the doors carry at a time. A gate that takes more than it has files for breaks connections off instead of saying why. */
export class Seats {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a seat and returns how to leave it, to be called once; undefined where all are taken. */
  take(): (() => void) | undefined {
    if (this.#taken >= this.#most) return undefined;
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
    };
  }
}

/** Said where no seat is left. */
export const overloaded = (): Fault =>
  new Fault('TG_OVERLOADED', 'this gate carries as many calls as it can take (`limits.calls`); try again in a moment');

const MOST = 10_000;
/** Files for everything else: record, stores, modules, the office. */
const OWN_FILES = 256;
/** A call holds a connection to its caller and one to its upstream; half as many again are open and idle. */
const FILES_PER_CALL = 3;

/** As many calls as this process may open files for (`RLIMIT_NOFILE`, which Node raises to its hard limit), 10,000 at most. */
export function seatsByOpenFiles(): number {
  const files = openFiles();
  return files === undefined ? MOST : Math.min(MOST, Math.max(1, Math.floor((files - OWN_FILES) / FILES_PER_CALL)));
}

interface Report {
  readonly userLimits?: Readonly<Record<string, { readonly soft: number | string }>>;
}

/** Node's own switch, not in its types yet: the names of peers are not looked up for a report. */
interface Reporter {
  excludeNetwork?: boolean;
  getReport(): Report;
}

let report: Report | undefined;

/** Undefined where the system sets no limit, or has none (Windows). A report takes some 25 ms, so there is one for each process. */
function openFiles(): number | undefined {
  const reporter = process.report as Reporter;
  reporter.excludeNetwork = true;
  report ??= reporter.getReport();
  const soft = Number(report.userLimits?.['open_files']?.soft);
  return Number.isFinite(soft) ? soft : undefined;
}
