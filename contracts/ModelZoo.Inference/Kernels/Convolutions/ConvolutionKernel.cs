namespace ModelZoo.Inference.Kernels;

/// <summary>What a convolution is made of besides its weights.</summary>
/// <param name="Y">The convolution from top to bottom: one tap for signals.</param>
/// <param name="X">The convolution from left to right.</param>
/// <param name="Transposed">Whether it is the transposed one.</param>
/// <param name="Pads">Padding, or for a transposed convolution what is trimmed: before from top to bottom and left to right, then after.</param>
/// <param name="OutputPadding">Outputs that a transposed convolution has more, from top to bottom and left to right.</param>
/// <param name="Padding">What the padding is.</param>
/// <param name="Elu">Whether an exponential unit comes before.</param>
internal sealed record ConvolutionOptions(ConvolutionAxis Y, ConvolutionAxis X, bool Transposed, int[] Pads, int[] OutputPadding, Padding Padding, bool Elu);

/// <summary>
/// Convolutions of signals (B, C, T) and pictures (B, C, H, W), transposed ones too: a product of the filter's rows and the places of a picture, of which no matrix is made. A task copies a block of the picture (<see cref="ConvolutionBlocks"/>),
/// some channels after the others, and multiplies it by all rows; where there are fewer blocks than threads, blocks are copied once and their rows shared out.
/// </summary>
internal sealed unsafe class ConvolutionKernel(PackedFilters filters, WinogradConvolution? winograd, WeightData? bias, ConvolutionOptions options, ScratchPool inputs, ScratchPool scratch) : CpuKernel
{
    // Places of a block: with so many, weights are read often enough from the first cache, and a block's inputs stay in the second.
    private const int PlacesAtOnce = 256;

    // With fewer blocks than the first, rows are shared out as well, into about as many tasks as the second.
    private static readonly int FewestTasks = 4 * Environment.ProcessorCount, WantedTasks = 8 * Environment.ProcessorCount;

    private readonly FilterMap _map = filters.Map;

    public override string Operator => KernelOperators.Convolution;

    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var plane = x.Shape.Length == 4;
        if (x.Shape.Length < 3 || x.Shape[1] != _map.Channels) throw new ArgumentException($"{_map.Channels} channels are expected, in [{string.Join(", ", x.Shape)}]");
        var (batch, rows, columns) = (checked((int)x.Shape[0]), plane ? checked((int)x.Shape[2]) : 1, checked((int)x.Shape[^1]));
        var pads = Pads(context, rows, columns);
        var (height, width) = (Extent(rows, 0, pads), Extent(columns, 1, pads));
        var y = plane ? context.Output(batch, _map.Outputs, height, width) : context.Output(batch, _map.Outputs, width);
        if (y.Count == 0) return;

        var (from, to) = ((nint)x.Data, (nint)y.Data);
        if (options.Transposed)
        {
            filters.Ready(context);
            Compute(new(rows, columns, _map.Y.Reach, _map.X.Reach, Padding.Zero, options.Elu), Places(height, 0), Places(width, 1));
            return;
        }

        var input = new ConvolutionInput(rows, columns, pads[0], pads[1], options.Padding, options.Elu);
        if (winograd is not null && winograd.Pays(height, width))
        {
            winograd.Compute(context, input, from, to, batch, height, width);
            return;
        }

        filters.Ready(context);
        Compute(input, height, width);

        void Compute(ConvolutionInput input, int down, int across) => new Run(this, context, input, new(_map.Y, _map.X, down, across, PlacesAtOnce), from, to, batch, height, width).Compute();
    }

    public override void Dispose()
    {
        filters.Dispose();
        winograd?.Dispose();
        inputs.Dispose();
        scratch.Dispose();
    }

    // With what a second input says, which pads all axes of the input.
    private int[] Pads(KernelContext context, int rows, int columns)
    {
        var pads = options.Pads;
        if (context.InputCount > 1)
        {
            var more = context.Integers(1);
            var axes = more.Length / 2 - 2;
            pads = [.. pads];
            for (var axis = 0; axis < axes; axis++)
            {
                pads[2 - axes + axis] += checked((int)more[2 + axis]);
                pads[4 - axes + axis] += checked((int)more[4 + axes + axis]);
            }
        }

        if (options.Padding == Padding.Reflect && (Math.Max(pads[0], pads[2]) >= Math.Max(1, rows) || Math.Max(pads[1], pads[3]) >= Math.Max(1, columns)))
            throw new ArgumentException($"{rows} by {columns} numbers have no mirror images of [{string.Join(", ", pads)}]");
        return pads;
    }

    // Outputs of an axis.
    private int Extent(int count, int axis, int[] pads)
    {
        var (convolution, padding) = (axis == 0 ? options.Y : options.X, pads[axis] + pads[axis + 2]);
        if (options.Transposed) return count == 0 ? 0 : Math.Max(0, (count - 1) * convolution.Stride + convolution.Span - padding + options.OutputPadding[axis]);
        return count + padding < convolution.Span ? 0 : (count + padding - convolution.Span) / convolution.Stride + 1;
    }

    // Places whose parts are all outputs of an axis: those that are trimmed are computed, and not written.
    private int Places(int outputs, int axis)
    {
        var stride = axis == 0 ? options.Y.Stride : options.X.Stride;
        return (outputs + options.Pads[axis] + stride - 1) / stride;
    }

    /// <summary>One call of the kernel.</summary>
    private sealed class Run(ConvolutionKernel kernel, KernelContext context, ConvolutionInput input, ConvolutionBlocks blocks, nint x, nint y, int batch, int height, int width)
    {
        private readonly PackedFilters _filters = kernel.Filters;
        private readonly FilterMap _map = kernel._map;
        private nint _offsets, _planes;

        public void Compute()
        {
            var count = checked(batch * blocks.Count);
            var groups = count >= FewestTasks ? 1 : Math.Min(_filters.RowBlocks, (WantedTasks + count - 1) / count);
            var rowBlocks = (_filters.RowBlocks + groups - 1) / groups;
            groups = (_filters.RowBlocks + rowBlocks - 1) / rowBlocks;

            // Copied blocks that several tasks read come first; a task that is alone with its block copies it piece by piece.
            var steps = _filters.ChannelsAtOnce * _map.Taps;
            using var offsets = kernel.Scratch.Rent(steps * (sizeof(nint) / sizeof(float)));
            blocks.Offsets(_filters.ChannelsAtOnce, (nint*)offsets.Data);
            _offsets = (nint)offsets.Data;
            if (groups == 1)
            {
                context.For(count, task => Multiply(task, 0, rowBlocks));
                return;
            }

            using var planes = kernel.Inputs.Rent(count * _filters.ChannelBlocks * blocks.Size(_filters.ChannelsAtOnce));
            _planes = (nint)planes.Data;
            context.For(count * _filters.ChannelBlocks, task => Fill(task / _filters.ChannelBlocks, task % _filters.ChannelBlocks, Planes(task)));
            context.For(count * groups, task => Multiply(task % count, task / count * rowBlocks, rowBlocks));
        }

        private float* Planes(int index) => (float*)_planes + index * blocks.Size(_filters.ChannelsAtOnce);

        private void Fill(int block, int channelBlock, float* planes)
        {
            var channel = (nint)(block / blocks.Count) * _map.Channels + channelBlock * _filters.ChannelsAtOnce;
            blocks.Fill(input, block % blocks.Count, (float*)x + channel * input.Rows * input.Columns, _filters.Channels(channelBlock), planes);
        }

        // Some rows of the product at a block's places.
        private void Multiply(int block, int firstRows, int rowBlocks)
        {
            rowBlocks = Math.Min(rowBlocks, _filters.RowBlocks - firstRows);
            nint pitch = blocks.Tiles * Tile.Columns;
            var rowsAtOnce = _filters.RowsAtOnce;
            var kept = _filters.ChannelBlocks > 1;
            var own = _planes == 0 ? blocks.Size(_filters.ChannelsAtOnce) : 0;
            using var memory = kernel.Scratch.Rent(own + (kept ? rowBlocks : 1) * rowsAtOnce * pitch);
            for (var channels = 0; channels < _filters.ChannelBlocks; channels++)
            {
                var planes = own == 0 ? Planes(block * _filters.ChannelBlocks + channels) : memory.Data;
                if (own > 0) Fill(block, channels, planes);
                for (var rows = 0; rows < rowBlocks; rows++)
                {
                    var sums = memory.Data + own + (kept ? rows * rowsAtOnce * pitch : 0);
                    Multiply(block % blocks.Count, planes, channels, firstRows + rows, sums, pitch);
                    if (channels == _filters.ChannelBlocks - 1) Finish(block, firstRows + rows, sums, pitch);
                }
            }
        }

        private void Multiply(int block, float* planes, int channels, int rowBlock, float* sums, nint pitch)
        {
            nint steps = _filters.Channels(channels) * _map.Taps;
            var weights = _filters.Block(channels, rowBlock);
            var rows = _filters.Rows(rowBlock);

            // The next block of weights comes from memory meanwhile.
            var next = (byte*)_filters.Block(channels, Math.Min(rowBlock + 1, _filters.RowBlocks - 1));
            nint step = rows * sizeof(float) / blocks.Tiles;
            for (var tile = 0; tile < blocks.Tiles; tile++)
            {
                if (!blocks.HasPlaces(tile, block)) continue;
                Tile.Multiply<ScatteredPanel>(rows, weights, steps, planes + blocks.TileStarts[tile], (nint*)_offsets, steps, sums + tile * Tile.Columns, pitch, channels > 0, new((nint)next, step));
                next += step * steps;
            }
        }

        // Sums of whole rows, with their bias, go to their places in the output.
        private void Finish(int block, int rowBlock, float* sums, nint pitch)
        {
            var first = rowBlock * _filters.RowsAtOnce;
            for (var row = first; row < first + _filters.Rows(rowBlock); row++, sums += pitch)
            {
                var (output, part) = (row / _map.Parts, row % _map.Parts);
                var target = (float*)y + ((nint)(block / blocks.Count) * _map.Outputs + output) * height * width;
                var offset = kernel.Bias is { } bias ? ((float*)bias.Address)[output] : 0;
                if (kernel.Options.Transposed) Spread(blocks.Places(block % blocks.Count), part, sums, offset, target);
                else Place(blocks.Places(block % blocks.Count), sums, offset, target);
            }
        }

        private void Place((int Row, int Column, int Rows, int Columns) places, float* sums, float offset, float* target)
        {
            target += (nint)places.Row * width + places.Column;
            for (var row = 0; row < places.Rows; row++, sums += blocks.SumPitch, target += width)
                System.Numerics.Tensors.TensorPrimitives.Add(new ReadOnlySpan<float>(sums, places.Columns), offset, new Span<float>(target, places.Columns));
        }

        // One part of each place: every stride-th output.
        private void Spread((int Row, int Column, int Rows, int Columns) places, int part, float* sums, float offset, float* target)
        {
            var (down, across) = (kernel.Options.Y.Stride, kernel.Options.X.Stride);
            var column = places.Column * across + part % across - kernel.Options.Pads[1];
            for (var row = 0; row < places.Rows; row++, sums += blocks.SumPitch)
            {
                var line = (places.Row + row) * down + part / across - kernel.Options.Pads[0];
                if ((uint)line >= (uint)height) continue;
                var to = target + (nint)line * width + column;
                var start = column >= 0 ? 0 : (-column + across - 1) / across;
                var end = Math.Min(places.Columns, (width - column + across - 1) / across);
                for (var i = start; i < end; i++) to[i * (nint)across] = sums[i] + offset;
            }
        }
    }

    private PackedFilters Filters => filters;

    private WeightData? Bias => bias;

    private ConvolutionOptions Options => options;

    private ScratchPool Inputs => inputs;

    private ScratchPool Scratch => scratch;
}
