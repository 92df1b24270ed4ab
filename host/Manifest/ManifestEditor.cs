using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Manifest;

/// <summary>Changes the plugins of a manifest file. The file is read, changed and written whole; one that has comments is left to its author.</summary>
internal sealed class ManifestEditor
{
    private readonly string _file;
    private readonly JsonObject _root;

    /// <summary>Opens a manifest, or begins one.</summary>
    /// <exception cref="ModelZooException">It cannot be read, or has comments.</exception>
    public ManifestEditor(string file)
    {
        _file = Path.GetFullPath(file);
        try
        {
            _root = File.Exists(_file) ? JsonNode.Parse(File.ReadAllBytes(_file))!.AsObject() : [];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelZooException(ErrorCodes.ManifestInvalid, "This manifest is changed by hand only: it has comments, or is not JSON.", error) { Where = _file };
        }
    }

    /// <summary>Adds a plugin at the end.</summary>
    public void Add(string path)
    {
        if (IndexOf(path) >= 0) throw new ModelZooException(ErrorCodes.ManifestInvalid, "The plugin is in the manifest already.") { Where = _file, Found = path };
        Entries.Add((JsonNode)Relative(path));
        Save();
    }

    /// <summary>Takes a plugin out.</summary>
    public void Remove(string path)
    {
        Entries.RemoveAt(Require(path));
        Save();
    }

    /// <summary>Sets or, with null, takes away a property of a plugin's entry.</summary>
    public void Set(string path, string property, JsonNode? value)
    {
        var at = Require(path);
        var entry = Entries[at] is JsonObject map ? map.DeepClone().AsObject() : new JsonObject { ["path"] = Entries[at]!.DeepClone() };
        if (value is null) entry.Remove(property);
        else entry[property] = value;
        Entries[at] = entry.Count == 1 ? entry["path"]!.DeepClone() : entry;
        Save();
    }

    private JsonArray Entries
    {
        get
        {
            if (_root["plugins"] is JsonArray list) return list;
            var made = new JsonArray();
            _root["plugins"] = made;
            return made;
        }
    }

    // An entry of its own; a pattern that matches the path does not count, for it speaks of others too.
    private int Require(string path)
    {
        var at = IndexOf(path);
        if (at >= 0) return at;
        Entries.Add((JsonNode)Relative(path)); // an entry after the pattern is the stronger one
        return Entries.Count - 1;
    }

    private int IndexOf(string path)
    {
        for (var i = 0; i < Entries.Count; i++)
        {
            var named = Entries[i] is JsonObject map ? (string?)map["path"] : (string?)Entries[i];
            if (named is not null && Path.GetFullPath(Path.Combine(Path.GetDirectoryName(_file)!, named)) == Path.GetFullPath(path)) return i;
        }

        return -1;
    }

    private string Relative(string path) => Path.GetRelativePath(Path.GetDirectoryName(_file)!, Path.GetFullPath(path)).Replace('\\', '/');

    private void Save()
    {
        var scratch = $"{_file}.{Guid.NewGuid():N}";
        File.WriteAllText(scratch, _root.ToJsonString(new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
        File.Move(scratch, _file, overwrite: true);
    }
}
