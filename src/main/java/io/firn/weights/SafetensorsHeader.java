package io.firn.weights;

import static io.firn.weights.Malformed.quote;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.firn.graph.Shape;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The JSON head of a safetensors file: {@code {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, …,
 * "__metadata__": {…}}}. Whatever a file says here is a claim: it is read token by token within fixed limits, and
 * checked against the file's real size before anything is allocated for it.
 */
record SafetensorsHeader(SequencedMap<String, Entry> entries, Map<String, String> metadata) {
    static final String METADATA = "__metadata__";
    private static final int MAX_RANK = 8;
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(3).maxNameLength(4_096)
                    .maxNumberLength(20).build())
            .build();

    /** One tensor's place: bytes begin (inclusive) to end (exclusive) after the header. */
    record Entry(Element element, Shape shape, long begin, long end) {
    }

    /**
     * Reads and checks a header.
     *
     * @param json the header's bytes
     * @param size bytes that follow it in the file
     * @throws Malformed   naming the tensor, for one whose type, shape or place makes no sense
     * @throws IOException for what is no JSON
     */
    static SafetensorsHeader parse(byte[] json, long size) throws IOException {
        SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        try (JsonParser p = JSON.createParser(json)) {
            expect(p, p.nextToken(), JsonToken.START_OBJECT, "the header");
            while (p.nextToken() != JsonToken.END_OBJECT) {
                String name = p.currentName();
                expect(p, p.nextToken(), JsonToken.START_OBJECT, "the entry of " + quote(name));
                if (name.equals(METADATA)) {
                    readMetadata(p, metadata);
                } else {
                    entries.put(name, readEntry(p, name, size));
                }
            }
            expect(p, p.nextToken(), null, "what follows the header's object");
        }
        checkPlaces(entries, size);
        return new SafetensorsHeader(entries, metadata);
    }

    private static void expect(JsonParser p, JsonToken found, JsonToken wanted, String what) throws IOException {
        if (found != wanted) {
            throw new Malformed("%s is %s where %s is wanted", what, found == null ? "missing" : found,
                    wanted == null ? "nothing" : wanted);
        }
    }

    private static void readMetadata(JsonParser p, Map<String, String> metadata) throws IOException {
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String key = p.currentName();
            expect(p, p.nextToken(), JsonToken.VALUE_STRING, "metadata " + quote(key));
            metadata.put(key, p.getText());
        }
    }

    private static Entry readEntry(JsonParser p, String name, long size) throws IOException {
        Element element = null;
        List<Long> dims = null;
        List<Long> place = null;
        while (p.nextToken() != JsonToken.END_OBJECT) {
            String field = p.currentName();
            p.nextToken();
            switch (field) {
                case "dtype" -> element = element(p, name);
                case "shape" -> dims = numbers(p, name, field);
                case "data_offsets" -> place = numbers(p, name, field);
                default -> throw new Malformed("tensor %s has an unknown field %s", quote(name), quote(field));
            }
        }
        if (element == null || dims == null || place == null || place.size() != 2) {
            throw new Malformed("tensor %s lacks its dtype, shape or two data_offsets", quote(name));
        }
        return entry(name, element, dims, place.get(0), place.get(1), size);
    }

    private static Element element(JsonParser p, String name) throws IOException {
        String text = p.getText();
        for (Element e : Element.values()) {
            if (p.currentToken() == JsonToken.VALUE_STRING && e.name().equals(text)) {
                return e;
            }
        }
        throw new Malformed("tensor %s has dtype %s, which is none of F32, F16, BF16, F64, I64", quote(name),
                quote(text));
    }

    private static List<Long> numbers(JsonParser p, String name, String field) throws IOException {
        expect(p, p.currentToken(), JsonToken.START_ARRAY, "%s of tensor %s".formatted(field, quote(name)));
        List<Long> numbers = new ArrayList<>();
        while (p.nextToken() != JsonToken.END_ARRAY) {
            if (p.currentToken() != JsonToken.VALUE_NUMBER_INT || numbers.size() == MAX_RANK || p.getLongValue() < 0) {
                throw new Malformed("%s of tensor %s is no list of at most %d natural numbers", field, quote(name),
                        MAX_RANK);
            }
            numbers.add(p.getLongValue());
        }
        return numbers;
    }

    private static Entry entry(String name, Element element, List<Long> dims, long begin, long end, long size)
            throws Malformed {
        if (begin > end || end > size) {
            throw new Malformed("tensor %s lies at bytes %d to %d of the %d that the file has", quote(name), begin, end,
                    size);
        }
        long bytes = element.bytes();
        if (dims.contains(0L)) {
            throw new Malformed("tensor %s of shape %s is empty", quote(name), dims);
        }
        for (long d : dims) {
            if (d > Integer.MAX_VALUE || bytes > (end - begin) / d) {
                throw new Malformed("tensor %s of shape %s does not fit its %d bytes", quote(name), dims, end - begin);
            }
            bytes *= d;
        }
        if (bytes != end - begin || bytes / element.bytes() > Integer.MAX_VALUE - 8) {
            throw new Malformed("tensor %s of shape %s does not fit its %d bytes", quote(name), dims, end - begin);
        }
        return new Entry(element, new Shape(dims.stream().map(Long::intValue).toList()), begin, end);
    }

    /** As the format wants it, every byte belongs to one tensor: overlaps and gaps mean damage. */
    private static void checkPlaces(SequencedMap<String, Entry> entries, long size) throws Malformed {
        long end = 0;
        String before = "the header";
        List<Map.Entry<String, Entry>> sorted = new ArrayList<>(entries.entrySet());
        sorted.sort(Comparator.comparingLong(e -> e.getValue().begin()));
        for (Map.Entry<String, Entry> e : sorted) {
            if (e.getValue().begin() != end) {
                throw new Malformed("tensor %s begins at byte %d where %s ends at %d", quote(e.getKey()),
                        e.getValue().begin(), before, end);
            }
            end = e.getValue().end();
            before = quote(e.getKey());
        }
        if (end != size) {
            throw new Malformed("%s ends at byte %d of %d: the file is damaged", before, end, size);
        }
    }
}
