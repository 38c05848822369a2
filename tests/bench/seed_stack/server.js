// A phone number's exchange as it is usually written: express, axios, SQLite with synchronous=FULL.
// Written for scripts/bench, and kindly: connections to WeChat are kept, statements prepared once, the token cached.
// What it leaves out of onetap's work: signatures, rate limits, metrics, log, sealed numbers, doubt.
//   COMMIT=each    a commit for the intent and one for the outcome of each request
//   COMMIT=group   whatever waits for the disk shares a commit
'use strict'
const fs = require('node:fs')
const https = require('node:https')
const axios = require('axios')
const Database = require('better-sqlite3')
const express = require('express')

const { PORT, CERT, KEY, DB, WECHAT, COMMIT, APPID, SECRET } = process.env

const db = new Database(DB)
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec(`CREATE TABLE consumption (
  id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, state TEXT NOT NULL, at INTEGER NOT NULL,
  phone TEXT, errcode INTEGER, done_at INTEGER)`)
const insertIntent = db.prepare("INSERT INTO consumption (code, state, at) VALUES (?, 'sent', ?)")
const updateOutcome = db.prepare('UPDATE consumption SET state = ?, phone = ?, errcode = ?, done_at = ? WHERE id = ?')
const find = db.prepare('SELECT state, phone FROM consumption WHERE code = ?')

let waiting = []
const runAll = db.transaction((commands) => commands.map(({ statement, values }) => {
  try {
    return { result: statement.run(...values) }
  } catch (error) {
    return { error }
  }
}))

function commitAll () {
  const commands = waiting
  waiting = []
  const results = runAll(commands)
  commands.forEach(({ resolve, reject }, i) => {
    if (results[i].error) reject(results[i].error)
    else resolve(results[i].result)
  })
}

function write (statement, ...values) {
  if (COMMIT === 'each') return statement.run(...values)
  return new Promise((resolve, reject) => {
    if (waiting.length === 0) setImmediate(commitAll)
    waiting.push({ statement, values, resolve, reject })
  })
}

const wechat = axios.create({
  baseURL: WECHAT,
  timeout: 3000,
  httpsAgent: new https.Agent({ keepAlive: true, ca: fs.readFileSync(CERT), minVersion: 'TLSv1.3' })
})

let token = null
async function accessToken () {
  if (token && Date.now() < token.until) return token.value
  const { data } = await wechat.get(`/cgi-bin/token?grant_type=client_credential&appid=${APPID}&secret=${SECRET}`)
  if (!data.access_token) throw new Error(`${data.errcode}:${data.errmsg}`)
  token = { value: data.access_token, until: Date.now() + (data.expires_in - 300) * 1000 }
  return token.value
}

const app = express()
app.use(express.json())
app.get('/healthz', (req, res) => res.json({ status: 'ok' }))
app.post('/phone/consume', async (req, res) => {
  if (!(req.get('Referer') || '').startsWith(`https://servicewechat.com/${APPID}/`)) return res.sendStatus(403)
  const { code } = req.body
  if (typeof code !== 'string' || code.length > 512) return res.sendStatus(400)
  let intent
  try {
    intent = await write(insertIntent, code, Date.now())
  } catch (error) {
    if (error.code !== 'SQLITE_CONSTRAINT_UNIQUE') return res.sendStatus(500)
    const stored = find.get(code)
    return stored.phone ? res.json({ phoneNumber: stored.phone }) : res.sendStatus(409)
  }
  try {
    const { data } = await wechat.post(`/wxa/business/getuserphonenumber?access_token=${await accessToken()}`, { code })
    const phone = data.errcode === 0 ? data.phone_info.phoneNumber : null
    await write(updateOutcome, phone ? 'ok' : 'failed', phone, data.errcode, Date.now(), intent.lastInsertRowid)
    if (phone) res.json({ phoneNumber: phone })
    else res.status(502).json({ errcode: data.errcode })
  } catch (error) {
    res.sendStatus(502)
  }
})

https.createServer({ cert: fs.readFileSync(CERT), key: fs.readFileSync(KEY), minVersion: 'TLSv1.3' }, app)
  .listen(Number(PORT), '127.0.0.1')
