package io.firn.study;

import io.firn.data.Dataset;
import io.firn.models.Model;
import io.firn.train.Config;
import java.util.function.DoubleFunction;

/** A net that is scaled: its own depth, width and resolution, and what it costs. */
final class Baseline {
    private static final double MOST = 20;
    private static final double STEP = 0.05;

    private final Dataset train;
    private final Config options;
    private final Model own;

    /** A net's sizes. */
    record Sizes(double depth, double width, int resolution) {
    }

    /**
     * A named net.
     *
     * @param options of its training; {@code resolution} where it is not the images' own
     */
    Baseline(String model, Config options, Dataset train) {
        this.train = train;
        this.options = options.with("model", model).without("width", "depth", "phi");
        own = Pricing.net(this.options, train, 1);
    }

    String model() {
        return own.name();
    }

    long multiplyAdds() {
        return own.multiplyAdds();
    }

    Sizes sizes() {
        return new Sizes(own.options().depth().orElseThrow(), own.options().width().orElseThrow(), own.options().resolution());
    }

    /** Sizes at a compound coefficient. */
    Sizes at(Coefficients k, double phi) {
        Sizes s = sizes();
        return new Sizes(s.depth * Math.pow(k.alpha(), phi), s.width * Math.pow(k.beta(), phi),
                (int) Math.round(s.resolution * Math.pow(k.gamma(), phi)));
    }

    /** The options of a training of the net with these sizes. */
    Config options(Sizes s) {
        return options.with("depth", s.depth).with("width", s.width).with("resolution", s.resolution);
    }

    Model net(Sizes s) {
        return Pricing.net(options(s), train, 1);
    }

    Sizes deeper(double factor) {
        Sizes s = sizes();
        return new Sizes(s.depth * factor, s.width, s.resolution);
    }

    Sizes wider(double factor) {
        Sizes s = sizes();
        return new Sizes(s.depth, s.width * factor, s.resolution);
    }

    Sizes larger(double factor) {
        Sizes s = sizes();
        return new Sizes(s.depth, s.width, (int) Math.round(s.resolution * factor));
    }

    /**
     * The sizes along a way of growing whose multiply-adds are the nearest to {@code cost} times this net's: channels, blocks
     * and pixels are whole, so that no way meets it exactly.
     *
     * @param way from a factor of 1 upwards
     */
    Sizes atCost(double cost, DoubleFunction<Sizes> way) {
        double wanted = Math.log(cost * own.multiplyAdds());
        Sizes best = way.apply(1);
        double nearest = Double.POSITIVE_INFINITY;
        for (double f = 1; f <= MOST; f += STEP) {
            Sizes s = way.apply(f);
            double off = Math.log(net(s).multiplyAdds()) - wanted;
            if (Math.abs(off) < nearest) {
                nearest = Math.abs(off);
                best = s;
            }
            if (off > 0.7) {
                break;
            }
        }
        return best;
    }
}
