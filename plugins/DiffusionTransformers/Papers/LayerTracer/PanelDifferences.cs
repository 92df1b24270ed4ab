using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.LayerTracer;

/// <summary>What each panel of a grid adds to the one before it (section 3.4): differences, cleaned, without small regions.</summary>
internal static class PanelDifferences
{
    // Regions up to this area are dropped.
    private const double SmallestArea = 150;

    /// <summary>Masks of 0 and 255 for every panel but the first. image (H, W, 3), blue first, 0..255 -> (panels - 1, H / grid, W / grid).</summary>
    public static Tensor<long> Of(Tensor<long> image, int threshold, int grid)
    {
        var (rows, columns) = ((int)image.Shape[0] / grid, (int)image.Shape[1] / grid);
        var panels = Enumerable.Range(0, grid * grid).Select(panel => Grey(image, panel / grid * rows, panel % grid * columns, rows, columns)).ToList();
        var result = Tensor.Zeros<long>(panels.Count - 1, rows, columns);
        for (var i = 1; i < panels.Count; i++)
        {
            var changed = new Mask(rows, columns);
            for (var p = 0; p < rows * columns; p++) changed.Pixels[p] = Math.Abs(panels[i][p] - panels[i - 1][p]) > threshold;
            // Opened, then closed.
            var clean = changed.Neighbourhood(all: true).Neighbourhood(all: false).Neighbourhood(all: false).Neighbourhood(all: true);
            foreach (var region in clean.OuterRegions().Where(region => region.ContourArea > SmallestArea))
            {
                for (var p = 0; p < rows * columns; p++)
                {
                    if (region.Pixels[p]) result.Slice(i - 1).Span[p] = 255;
                }
            }
        }

        return result;
    }

    // OpenCV's whole-number weights.
    private static int[] Grey(Tensor<long> image, int top, int left, int rows, int columns) => [.. Enumerable.Range(0, rows * columns).Select(p =>
    {
        var (y, x) = (top + p / columns, left + p % columns);
        return (int)((image[y, x, 0] * 3735 + image[y, x, 1] * 19235 + image[y, x, 2] * 9798 + (1 << 14)) >> 15);
    })];

    /// <summary>Pixels that are set.</summary>
    private sealed class Mask(int rows, int columns)
    {
        public bool[] Pixels { get; } = new bool[rows * columns];

        /// <summary>The area within the line through the centres of the outermost pixels, of a region without holes.</summary>
        public double ContourArea
        {
            get
            {
                // A square between four centres counts whole when all are set, and half when three are.
                var area = 0.0;
                for (var y = 0; y + 1 < rows; y++)
                {
                    for (var x = 0; x + 1 < columns; x++)
                    {
                        var set = Set(y, x) + Set(y, x + 1) + Set(y + 1, x) + Set(y + 1, x + 1);
                        area += set == 4 ? 1 : set == 3 ? 0.5 : 0;
                    }
                }

                return area;
            }
        }

        /// <summary>Erosion (all) or dilation by 3 x 3; what is outside has no say.</summary>
        public Mask Neighbourhood(bool all)
        {
            var result = new Mask(rows, columns);
            for (var p = 0; p < Pixels.Length; p++)
            {
                var around = Around(p, diagonal: true).Append(p);
                result.Pixels[p] = all ? around.All(q => Pixels[q]) : around.Any(q => Pixels[q]);
            }

            return result;
        }

        /// <summary>The regions, joined at corners too, that lie in no other; each with its holes filled.</summary>
        public IEnumerable<Mask> OuterRegions()
        {
            var seen = new bool[Pixels.Length];
            var outside = Flood(Border(Pixels), Pixels, false, diagonal: false);
            for (var p = 0; p < Pixels.Length; p++)
            {
                if (!Pixels[p] || seen[p]) continue;
                var region = Flood([p], Pixels, true, diagonal: true);
                var outer = false;
                for (var q = 0; q < region.Length; q++)
                {
                    if (!region[q]) continue;
                    seen[q] = true;
                    var edge = q / columns == 0 || q / columns == rows - 1 || q % columns == 0 || q % columns == columns - 1;
                    outer |= edge || Around(q, diagonal: false).Any(near => outside[near]);
                }

                if (!outer) continue;
                var around = Flood(Border(region), region, false, diagonal: false);
                var filled = new Mask(rows, columns);
                for (var q = 0; q < region.Length; q++) filled.Pixels[q] = !around[q];
                yield return filled;
            }
        }

        private int Set(int y, int x) => Pixels[y * columns + x] ? 1 : 0;

        private IEnumerable<int> Border(bool[] walls) => Enumerable.Range(0, rows * columns).Where(p => !walls[p] && (p / columns == 0 || p / columns == rows - 1 || p % columns == 0 || p % columns == columns - 1));

        private bool[] Flood(IEnumerable<int> starts, bool[] pixels, bool value, bool diagonal)
        {
            var reached = new bool[pixels.Length];
            var open = new Stack<int>(starts);
            foreach (var start in open) reached[start] = true;
            while (open.TryPop(out var p))
            {
                foreach (var q in Around(p, diagonal).Where(q => pixels[q] == value && !reached[q]))
                {
                    reached[q] = true;
                    open.Push(q);
                }
            }

            return reached;
        }

        private IEnumerable<int> Around(int p, bool diagonal)
        {
            var (y, x) = (p / columns, p % columns);
            for (var dy = -1; dy <= 1; dy++)
            {
                for (var dx = -1; dx <= 1; dx++)
                {
                    if ((dy != 0 || dx != 0) && (diagonal || dy == 0 || dx == 0) && y + dy >= 0 && y + dy < rows && x + dx >= 0 && x + dx < columns) yield return p + dy * columns + dx;
                }
            }
        }
    }
}
