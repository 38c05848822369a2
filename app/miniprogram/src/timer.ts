/** One timer, which can be begun anew. */
export class Timer {
  private running: ReturnType<typeof setTimeout> | undefined;

  isRunning(): boolean {
    return this.running !== undefined;
  }

  start(inMs: number, action: () => void): void {
    this.stop();
    this.running = setTimeout(() => {
      this.running = undefined;
      action();
    }, inMs);
  }

  stop(): void {
    if (this.running !== undefined) clearTimeout(this.running);
    this.running = undefined;
  }
}
