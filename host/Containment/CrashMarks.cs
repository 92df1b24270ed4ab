using System.IO.MemoryMappedFiles;
using System.Text;

namespace ModelZoo.Host.Containment;

/// <summary>
/// Says which plugins were at work when a process ended without a word: a stack overflow, a fault in native code, a kill. Each process counts its plugins' work in a mapped file, which the system keeps when the process dies and which
/// costs no more than an addition a request; a clean end deletes it. The next host that starts on the same machine reads what was left behind and gives those plugins a strike; the files of processes on other machines, which see the
/// folder too where it is shared, are theirs to judge.
/// </summary>
internal sealed class CrashMarks : IDisposable
{
    private const int SlotSize = 4096; // work under way, length of the text, text
    private const int Slots = 256; // the first says whose file it is

    /// <summary>How long the file of a machine that never came back is kept.</summary>
    public static readonly TimeSpan Keep = TimeSpan.FromDays(7);

    private readonly PluginQuarantine _quarantine;
    private readonly Lock _lock = new();
    private readonly List<Slot> _slots = [];
    private readonly FileStream? _file;
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;

    /// <summary>Strikes the plugins of processes that ended without a word, and begins to count for this one. Without a folder to write to nothing is counted.</summary>
    public CrashMarks(string folder, PluginQuarantine quarantine) : this(folder, quarantine, ProcessIdentity.Current)
    {
    }

    /// <summary>The same for a process of any machine.</summary>
    internal CrashMarks(string folder, PluginQuarantine quarantine, ProcessIdentity self)
    {
        _quarantine = quarantine;
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var left in Directory.EnumerateFiles(folder, "*.marks")) Judge(left, self);
            _file = new(Path.Combine(folder, $"{Environment.ProcessId}-{Guid.NewGuid():N}.marks"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            _file.SetLength(Slots * SlotSize);
            _map = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor();
            WriteText(0, self.ToString());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Dispose();
            _view = null;
        }
    }

    /// <summary>Counts work of a plugin until it is disposed.</summary>
    public IDisposable? Begin(string name, string path)
    {
        if (_view is null) return null;
        lock (_lock)
        {
            var slot = _slots.Find(slot => slot.Path == path);
            if (slot is null)
            {
                var text = $"{name}\0{path}";
                if (_slots.Count == Slots - 1 || Encoding.UTF8.GetByteCount(text) > SlotSize - 8) return null;
                slot = new(path, (_slots.Count + 1) * SlotSize);
                _slots.Add(slot);
                WriteText(slot.Offset, text);
            }

            _view.Write(slot.Offset, ++slot.Working);
            return new Mark(this, slot);
        }
    }

    /// <summary>A clean end. Plugins that did their work are forgiven what they may have been blamed for beside others.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_slots.Count > 0)
            {
                foreach (var entry in _quarantine.Entries.Where(entry => !entry.IsCondemned && _slots.Exists(slot => slot.Path == entry.Path && slot.Working == 0))) _quarantine.Forgive(entry.Path);
            }

            _slots.Clear();
            _view?.Dispose();
            _map?.Dispose();
            _file?.Dispose();
        }
    }

    private void End(Slot slot)
    {
        lock (_lock)
        {
            slot.Working--;
            if (_slots.Contains(slot)) _view!.Write(slot.Offset, slot.Working);
        }
    }

    private void WriteText(int offset, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        _view!.WriteArray(offset + 8, bytes, 0, bytes.Length);
        _view.Write(offset + 4, bytes.Length);
    }

    // A file that can be opened for oneself alone, and whose process is gone, belongs to nobody any more.
    private void Judge(string file, ProcessIdentity self)
    {
        try
        {
            using var left = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None, SlotSize);
            var slot = new byte[SlotSize];
            var fate = ReadText(left, slot) is { } owner && ProcessIdentity.TryParse(owner) is { } process ? self.FateOf(process) : ProcessFate.Gone;
            if (fate == ProcessFate.Lives || (fate == ProcessFate.Elsewhere && DateTime.UtcNow - File.GetLastWriteTimeUtc(file) < Keep)) return;
            while (fate == ProcessFate.Gone && ReadText(left, slot) is { } text)
            {
                if (BitConverter.ToInt32(slot, 0) > 0 && text.Split('\0') is [var name, var path] && Path.Exists(path))
                    _quarantine.Strike(name, path, "the host's process ended without a word while this plugin was at work (a fault in native code, a stack overflow, or a kill)");
            }

            File.Delete(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Its process lives, or another host judges it now.
        }
    }

    // Null where there is none.
    private static string? ReadText(FileStream file, byte[] slot) =>
        file.ReadAtLeast(slot, SlotSize, throwOnEndOfStream: false) == SlotSize && BitConverter.ToInt32(slot, 4) is > 0 and <= SlotSize - 8 and var length ? Encoding.UTF8.GetString(slot, 8, length) : null;

    private sealed class Slot(string path, int offset)
    {
        public string Path { get; } = path;

        public int Offset { get; } = offset;

        public int Working { get; set; }
    }

    private sealed class Mark(CrashMarks marks, Slot slot) : IDisposable
    {
        private Slot? _slot = slot;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _slot, null) is { } open) marks.End(open);
        }
    }
}
