package io.firn.train;

/**
 * How far a run is: what its next step needs to know of those before, beside the network's states.
 *
 * @param epoch    that the next batch belongs to, from 0
 * @param batch    batches of this epoch that are done; where gradients are accumulated, all of a step's count as one
 * @param step     steps of the run that are done
 * @param lossSum  of this epoch's steps
 * @param seconds  that this epoch took so far, in every process that worked on it
 * @param reported whether this epoch has its line in the metrics although it is not whole: the run ended within it
 * @param best     largest top-1 of the validations so far; negative before the first
 * @param sinceBest whole epochs since then
 */
record Position(int epoch, int batch, long step, double lossSum, double seconds, boolean reported, double best,
                int sinceBest) {
    static final Position START = new Position(0, 0, 0, 0, 0, false, -1, 0);

    Position afterStep(float loss, double took) {
        return new Position(epoch, batch + 1, step + 1, lossSum + loss, seconds + took, false, best,
                sinceBest);
    }

    /** After the epoch's line is written. An epoch that {@code --max-steps} cut short can still be gone on with. */
    Position afterEpoch(boolean whole, double top1) {
        double better = Math.max(best, top1);
        return whole ? new Position(epoch + 1, 0, step, 0, 0, false, better, top1 > best ? 0 : sinceBest + 1)
                : new Position(epoch, batch, step, lossSum, seconds, true, better, sinceBest);
    }

    Position withSeconds(double more) {
        return new Position(epoch, batch, step, lossSum, seconds + more, reported, best, sinceBest);
    }

    /** Whether steps were made that no epoch's line tells of. */
    boolean inEpoch() {
        return batch > 0 && !reported;
    }

    /** Epochs whose line is in the metrics, if the run goes on to that many steps. */
    int epochLines(long total) {
        return reported && step >= total ? epoch + 1 : epoch;
    }
}
