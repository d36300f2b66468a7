package io.firn.study.schedule;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Which device runs what, so that the last is done early: uniform machines with a limit of memory each, which is NP-hard.
 *
 * <ol>
 * <li>Longest first, each to the device that has it done the earliest (LPT, Graham 1969; for devices of different speeds
 * Gonzalez, Ibarra and Sahni 1977), among those that have the memory.</li>
 * <li>MULTIFIT (Coffman, Garey and Johnson 1978): a search for the earliest end before which first-fit packs all, slower
 * devices first.</li>
 * <li>From either, moves and exchanges between the device that ends last and the others, for as long as the later end of
 * both falls. The better of the two is taken.</li>
 * </ol>
 * Predictions are wrong by some. What comes after a long task can still go elsewhere when that takes longer than predicted,
 * but the task itself cannot: a device thus ends no earlier than its longest task with an allowance for that.
 */
final class Packing {
    private static final int HALVINGS = 12;
    private static final int MOST_IMPROVEMENTS = 200;
    private static final double GAIN = 1e-9;

    private final List<Device> devices;
    private final double[] speed;
    private final double[] start;
    /** By falling length. */
    private final Item[] items;
    private final double allowance;
    /** Work of each device's queue. */
    private double[] load;
    /** When each device ends. */
    private double[] end;
    private List<List<Item>> queues;

    /**
     * A task with its corrected length.
     *
     * @param work seconds on a device of speed 1
     */
    record Item(Task task, double work) {
    }

    private Packing(List<Item> items, List<Device> devices, double[] free, double overrun) {
        this.devices = devices;
        allowance = 1 + overrun;
        this.items = items.stream().sorted(Comparator.comparingDouble(Item::work).reversed()).toArray(Item[]::new);
        speed = devices.stream().mapToDouble(Device::speed).toArray();
        start = free.clone();
        clear();
    }

    /**
     * Packs.
     *
     * @param items   tasks, each of which fits at least one device
     * @param free    seconds from now until each device is free
     * @param overrun by what share of its length a task may take longer
     */
    static Packing of(List<Item> items, List<Device> devices, double[] free, double overrun) {
        Packing first = new Packing(items, devices, free, overrun);
        first.longestFirst();
        first.improve();
        Packing second = new Packing(items, devices, free, overrun);
        second.longestFirst();
        second.multifit();
        second.improve();
        return second.makespan() < first.makespan() ? second : first;
    }

    /** What each device runs, in this order: longest first, so that what is left at the end is small. */
    List<List<Item>> queues() {
        return queues;
    }

    /** Seconds from now until the last task is done. */
    double makespan() {
        double last = 0;
        for (int d = 0; d < end.length; d++) {
            last = queues.get(d).isEmpty() ? last : Math.max(last, end[d]);
        }
        return last;
    }

    private void clear() {
        end = start.clone();
        load = new double[end.length];
        queues = new ArrayList<>(end.length);
        for (int d = 0; d < end.length; d++) {
            queues.add(new ArrayList<>());
        }
    }

    /** When a device ends that has that much to do. */
    private double end(int d, double work, double longest) {
        return start[d] + Math.max(work, allowance * longest) / speed[d];
    }

    /** When a device ends with one item more, no longer than those that it has. */
    private double endWith(int d, Item item) {
        List<Item> queue = queues.get(d);
        return end(d, load[d] + item.work, queue.isEmpty() ? item.work : queue.getFirst().work);
    }

    private void put(Item item, int d) {
        end[d] = endWith(d, item);
        load[d] += item.work;
        queues.get(d).add(item);
    }

    private void longestFirst() {
        for (Item item : items) {
            int earliest = -1;
            for (int d = 0; d < end.length; d++) {
                if (devices.get(d).holds(item.task) && (earliest < 0 || endWith(d, item) < endWith(earliest, item))) {
                    earliest = d;
                }
            }
            if (earliest < 0) {
                throw new IllegalArgumentException(item.task.name() + " fits no device");
            }
            put(item, earliest);
        }
    }

    private void multifit() {
        Integer[] slowestFirst = new Integer[speed.length];
        Arrays.setAll(slowestFirst, d -> d);
        Arrays.sort(slowestFirst, Comparator.comparingDouble(d -> speed[d]));
        double most = makespan();
        double least = 0;
        for (int i = 0; i < HALVINGS && most - least > most * 1e-3; i++) {
            double deadline = (most + least) / 2;
            List<List<Item>> before = queues;
            double[] ends = end;
            double[] loads = load;
            clear();
            if (firstFit(deadline, slowestFirst)) {
                most = makespan();
            } else {
                queues = before;
                end = ends;
                load = loads;
                least = deadline;
            }
        }
    }

    private boolean firstFit(double deadline, Integer[] order) {
        for (Item item : items) {
            boolean placed = false;
            for (int i = 0; i < order.length && !placed; i++) {
                int d = order[i];
                if (endWith(d, item) <= deadline && devices.get(d).holds(item.task)) {
                    put(item, d);
                    placed = true;
                }
            }
            if (!placed) {
                return false;
            }
        }
        return true;
    }

    private void improve() {
        boolean better = true;
        for (int i = 0; better && i < MOST_IMPROVEMENTS; i++) {
            better = relieve(last());
        }
    }

    private int last() {
        int last = 0;
        for (int d = 1; d < end.length; d++) {
            if (!queues.get(d).isEmpty() && (queues.get(last).isEmpty() || end[d] > end[last])) {
                last = d;
            }
        }
        return last;
    }

    /** The best single move or exchange that takes load off a device, if there is one. */
    private boolean relieve(int from) {
        double limit = end[from] - GAIN * (1 + end[from]);
        Item out = null;
        Item in = null;
        int to = -1;
        for (Item a : queues.get(from)) {
            for (int d = 0; d < end.length; d++) {
                if (d == from || !devices.get(d).holds(a.task)) {
                    continue;
                }
                double moved = Math.max(exchanged(from, a, null), exchanged(d, null, a));
                if (moved < limit) {
                    limit = moved;
                    out = a;
                    in = null;
                    to = d;
                }
                for (Item b : queues.get(d)) {
                    double both = b.work >= a.work || !devices.get(from).holds(b.task) ? Double.POSITIVE_INFINITY
                            : Math.max(exchanged(from, a, b), exchanged(d, b, a));
                    if (both < limit) {
                        limit = both;
                        out = a;
                        in = b;
                        to = d;
                    }
                }
            }
        }
        if (out == null) {
            return false;
        }
        exchange(from, out, in);
        exchange(to, in, out);
        return true;
    }

    /** When a device ends that gives one item and takes another; null for none. */
    private double exchanged(int d, Item out, Item in) {
        double work = load[d] - (out == null ? 0 : out.work) + (in == null ? 0 : in.work);
        double longest = in == null ? 0 : in.work;
        for (Item item : queues.get(d)) {
            if (item != out) {
                longest = Math.max(longest, item.work);
                break;
            }
        }
        return end(d, work, longest);
    }

    private void exchange(int d, Item out, Item in) {
        end[d] = exchanged(d, out, in);
        load[d] += (in == null ? 0 : in.work) - (out == null ? 0 : out.work);
        List<Item> queue = queues.get(d);
        queue.remove(out);
        if (in != null) {
            queue.add(in);
            queue.sort(Comparator.comparingDouble(Item::work).reversed());
        }
    }
}
